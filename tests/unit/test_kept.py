"""What a model gave for each row: kept in batches, read as it was."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from runner.errors import StageError
from runner.metrics.keeping import Keeping
from runner.metrics.kept import Kept, NotFinite, Ragged


def test_scores_are_mapped_as_they_were_kept(tmp_path: Path) -> None:
    scores = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float64)
    with Keeping(tmp_path, "class scores", classes=("a", "b", "c"), output="logits") as keeping:
        keeping.add(scores[:4])
        keeping.add(scores[4:])
        keeping.finish(5, {"runtime": {"x": 1}})
    kept = Kept.read(tmp_path)
    assert (kept.gives, kept.count, kept.classes) == ("class scores", 5, ("a", "b", "c"))
    assert isinstance(kept.values, np.memmap)
    assert kept.values.dtype == np.float32
    np.testing.assert_array_equal(kept.values, scores.astype(np.float32))
    assert kept.protocol == {"runtime": {"x": 1}}
    assert kept.not_finite is None


@pytest.mark.parametrize("shape", [(4,), (2, 3, 4), ()])
def test_outputs_have_any_number_of_axes(tmp_path: Path, shape: tuple[int, ...]) -> None:
    outputs = np.arange(3 * int(np.prod(shape)), dtype=np.int64).reshape(3, *shape)
    with Keeping(tmp_path, "outputs") as keeping:
        for row in outputs:
            keeping.add(row[None])
        keeping.finish(3, {})
    np.testing.assert_array_equal(np.asarray(Kept.read(tmp_path).values), outputs)


def test_texts_come_back_with_all_their_characters(tmp_path: Path) -> None:
    texts = ["", 'a\n"b"\u2028c', "日本語"]
    with Keeping(tmp_path, "texts") as keeping:
        keeping.add(texts)
        keeping.finish(3, {})
    assert Kept.read(tmp_path).values == texts


def test_rows_of_different_lengths_and_shapes(tmp_path: Path) -> None:
    maps = [np.arange(6, dtype=np.uint8).reshape(2, 3), np.arange(4, dtype=np.uint8).reshape(4, 1)]
    scores = [np.array([0.5, 0.25], np.float32), np.empty(0, np.float32)]
    with Keeping(tmp_path, "class maps", extra={"scores": "ragged"}) as keeping:
        keeping.add(maps, scores=scores)
        keeping.finish(2, {})
    kept = Kept.read(tmp_path)
    assert isinstance(kept.values, Ragged)
    for found, expected in zip([*kept.values, *kept.extra["scores"]], [*maps, *scores], strict=True):
        np.testing.assert_array_equal(found, expected)
        assert found.dtype == expected.dtype
    in_memory = Ragged.of(maps)
    for found, expected in zip(in_memory[:], maps, strict=True):
        np.testing.assert_array_equal(found, expected)


def test_rows_without_numbers_are_told(tmp_path: Path) -> None:
    scores = np.zeros((6, 2), np.float32)
    scores[3, 1], scores[5, 0] = np.nan, np.inf
    with Keeping(tmp_path, "class scores", output="logits") as keeping:
        for start in (0, 2, 4):
            keeping.add(scores[start : start + 2])
        keeping.finish(6, {})
    kept = Kept.read(tmp_path)
    assert kept.not_finite == NotFinite("logits", 2, 3)
    assert str(kept.not_finite) == "output logits isn't finite in 2 rows, first in row 4"
    assert kept.finite.tolist() == [True, True, True, False, True, False]


def test_each_row_has_one_value(tmp_path: Path) -> None:
    with Keeping(tmp_path, "texts") as keeping:
        keeping.add(["a"])
        with pytest.raises(StageError, match="1 values for 2 rows"):
            keeping.finish(2, {})


def test_arrays_of_one_shape_have_one_shape(tmp_path: Path) -> None:
    with Keeping(tmp_path, "class scores", output="logits") as keeping:
        keeping.add(np.zeros((1, 3)))
        with pytest.raises(StageError, match="logits can't be kept for each row: rows of 4 after rows of 3"):
            keeping.add(np.zeros((1, 4)))


def test_a_column_that_lost_rows_is_refused(tmp_path: Path) -> None:
    with Keeping(tmp_path, "texts") as keeping:
        keeping.add(["a", "b"])
        keeping.finish(2, {})
    (tmp_path / "values.jsonl").write_text('"a"\n', encoding="utf-8")
    with pytest.raises(StageError, match="values has 1 rows, and 2 were kept"):
        Kept.read(tmp_path)
