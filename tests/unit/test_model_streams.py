"""Rows that are inferred several at a time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from runner.errors import SourceError, StageError
from runner.model.feed import Feed
from runner.model.runtime import compile_folder
from runner.model.streams import compile_for_rows, in_order

RNG = np.random.default_rng(0)
WEIGHTS = RNG.standard_normal((8, 5)).astype(np.float32)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of [1, n, 8] numbers, whose product with a matrix has the size of the rest added."""
    import openvino as ov
    from openvino import opset13 as opset

    path = tmp_path_factory.mktemp("model")
    x = opset.parameter([1, -1, 8], np.float32, name="x")
    x.output(0).set_names({"x"})
    product = opset.tanh(opset.matmul(x, opset.constant(WEIGHTS), False, False))
    ov.save_model(ov.Model([product], [x]), path / "openvino_model.xml", compress_to_fp16=False)
    return path


def feeds(count: int) -> list[Feed]:
    return [{"x": RNG.standard_normal((1, 1 + row % 7, 8)).astype(np.float32)} for row in range(count)]


@pytest.mark.parametrize("runtime", [{}, {"NUM_STREAMS": 1}, {"PERFORMANCE_HINT": "LATENCY"}])
@pytest.mark.parametrize("rows", [0, 1, 3, 40])
def test_rows_come_in_their_order_with_the_numbers_of_one_after_the_other(
    rows: int, runtime: dict[str, object], folder: Path
) -> None:
    given, alone = feeds(rows), compile_folder(folder, {"INFERENCE_PRECISION_HINT": "f32"})
    compiled = compile_for_rows(folder, {"INFERENCE_PRECISION_HINT": "f32", **runtime})
    seen = 0
    for item, feed, (output,) in in_order(compiled, enumerate(given)):
        assert item == seen and feed is given[item]
        np.testing.assert_array_equal(output, alone.infer(feed)[0])
        np.testing.assert_allclose(output, np.tanh(feed["x"] @ WEIGHTS), atol=1e-6)
        seen += 1
    assert seen == rows


def test_streams_are_the_runtimes_unless_the_properties_say_so(folder: Path) -> None:
    import openvino as ov

    most = ov.Core().compile_model(folder / "openvino_model.xml", "CPU", {"NUM_STREAMS": 4}).get_property("NUM_STREAMS")
    found, alone = compile_for_rows(folder, {}), compile_for_rows(folder, {"NUM_STREAMS": 1})
    assert (found.streams, alone.streams, alone.runtime["NUM_STREAMS"]) == (most, 1, 1)


def test_how_many_cores_there_are_is_not_told_with_figures(folder: Path) -> None:
    """They differ with what runs beside, and an entry of the store does not."""
    told = compile_for_rows(folder, {"INFERENCE_PRECISION_HINT": "f32"}).runtime.keys()
    assert not told & {"NUM_STREAMS", "INFERENCE_NUM_THREADS", "PERFORMANCE_HINT"}


def test_what_fails_on_the_way_is_told_as_it_is(folder: Path) -> None:
    compiled = compile_for_rows(folder, {})
    wrong: Feed = {"x": np.zeros((1, 2, 9), np.float32)}
    with pytest.raises(StageError, match="inference failed"):
        list(in_order(compiled, enumerate([*feeds(5), wrong])))

    def broken() -> Iterator[tuple[int, Feed]]:
        yield from enumerate(feeds(3))
        message = "row 4 can't be read"
        raise SourceError(message)

    with pytest.raises(SourceError, match="row 4"):
        list(in_order(compiled, broken()))
