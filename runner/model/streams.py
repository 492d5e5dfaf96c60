"""Rows through a model, several at a time: the numbers and the order are those of one after the other."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
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
    own = {} if _OWN & runtime.keys() else {"NUM_STREAMS": _MOST}
    found = compile_folder(folder, {**own, **runtime})
    if "original" in found.runtime:
        return found
    told = {name: value for name, value in found.runtime.items() if name not in own}
    return replace(found, runtime=told, streams=found.model.get_property("NUM_STREAMS"))


def in_order(compiled: Compiled, feeds: Iterable[tuple[T, Feed]]) -> Iterator[tuple[T, Feed, list[Array]]]:
    """Each item with its feed and the outputs for it, in order; the outputs are overwritten once the next is asked for.

    As many are inferred at a time as the model has streams, while the next feed is made.

    Raises:
        StageError: the runtime fails.
    """
    if compiled.streams < 2:
        for item, feed in feeds:
            yield item, feed, compiled.infer(feed)
        return
    free = deque(compiled.model.create_infer_request() for _ in range(compiled.streams))
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
