"""Rows through a model, several at a time: the numbers and the order are those of one after the other."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from runner.base.values import Array
from runner.model.runtime import Compiled, compile_folder

if TYPE_CHECKING:
    import openvino as ov

    from runner.model.feed import Feed

T = TypeVar("T")

_MOST = 4
"""Streams: each has activations of its own. The runtime makes fewer of them where there are fewer cores."""
_OWN = frozenset({"NUM_STREAMS", "PERFORMANCE_HINT"})


def compile_for_rows(folder: Path, runtime: Mapping[str, object]) -> Compiled:
    """As `compile_folder`, with several streams unless the properties say otherwise."""
    return compile_folder(folder, {**({} if _OWN & runtime.keys() else {"NUM_STREAMS": _MOST}), **runtime})


def in_order(compiled: Compiled, feeds: Iterable[tuple[T, Feed]]) -> Iterator[tuple[T, Feed, list[Array]]]:
    """Each item with its feed and the outputs for it, in order; the outputs are overwritten once the next is asked for.

    As many are inferred at a time as the model has streams, while the next feed is made.

    Raises:
        StageError: the runtime fails.
    """
    streams = compiled.runtime.get("NUM_STREAMS", 1)
    if not isinstance(streams, int) or streams < 2:
        for item, feed in feeds:
            yield item, feed, compiled.infer(feed)
        return
    free = deque(compiled.model.create_infer_request() for _ in range(streams))
    running: deque[tuple[T, Feed, ov.InferRequest]] = deque()
    for item, feed in feeds:
        if not free:
            yield _ended(compiled, *running[0])
            free.append(running.popleft()[2])
        with compiled.inferring():
            free[0].start_async(feed, share_inputs=True)
        running.append((item, feed, free.popleft()))
    for one in running:
        yield _ended(compiled, *one)


def _ended(compiled: Compiled, item: T, feed: Feed, request: ov.InferRequest) -> tuple[T, Feed, list[Array]]:
    with compiled.inferring():
        request.wait()
    return item, feed, compiled.outputs_of(request)
