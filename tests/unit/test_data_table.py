"""A dataset as rows: what each role has of a row of each format, and what is wrong with a row."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from runner import data
from runner.data.images import Picture, opened
from runner.data.table import count, rows
from runner.errors import SourceError
from runner.recipe.types import Dataset


def jsonl(path: Path, *found: Mapping[str, object], **columns: str) -> Dataset:
    path.write_text("".join(json.dumps(row) + "\n" for row in found))
    return Dataset("d", "file", path, "jsonl", columns=columns)


def test_a_row_of_jsonl_has_its_number_its_line_and_its_roles(tmp_path: Path) -> None:
    dataset = jsonl(
        tmp_path / "a.jsonl", {"t": "one", "y": "3"}, {"t": "two", "y": "cat", "more": []}, text="t", label="y"
    )
    dataset.path.write_text(dataset.path.read_text().replace("\n", "\n\n", 1))
    first, second = rows(dataset)
    assert (first.number, first.where, first.values) == (0, f"{dataset.path}:1", {"text": "one", "label": 3})
    assert (second.number, second.where, second.values) == (1, f"{dataset.path}:3", {"text": "two", "label": "cat"})
    assert [row.values for row in rows(dataset, ("label",))] == [{"label": 3}, {"label": "cat"}]
    assert count(dataset) == 2 and count(replace(dataset, limit=1)) == 1
    assert [row.values["label"] for row in rows(replace(dataset, limit=1))] == [3]


def test_a_row_of_a_text_is_a_line(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"one\r\n\ntwo")
    dataset = Dataset("d", "file", tmp_path / "a.txt", "txt")
    assert [(row.number, row.values["text"]) for row in rows(dataset)] == [(0, "one"), (1, ""), (2, "two")]
    assert count(replace(dataset, limit=2)) == 2


def test_a_row_of_arrays_is_an_item_of_each(tmp_path: Path) -> None:
    images = np.arange(24, dtype=np.uint8).reshape(4, 2, 3)
    np.savez(tmp_path / "a.npz", images=images, y=np.arange(4).reshape(4, 1))
    columns = {"label": "y", "image": "images"}
    dataset = Dataset("d", "file", tmp_path / "a.npz", "npz", columns=columns, inputs={"": "images"}, limit=3)
    found = list(rows(dataset))
    assert [row.values["label"] for row in found] == [0, 1, 2] and count(dataset) == 3
    np.testing.assert_array_equal(np.stack([row.values["image"] for row in found]), images[:3])


def test_roles_of_lists_texts_and_numbers(tmp_path: Path) -> None:
    row = {"a": {"text": ["x", "y"], "answer_start": [1, 2]}, "c": ["p", "q"], "s": "1.5", "b": [[1, 2, 3, 4]]}
    dataset = jsonl(tmp_path / "a.jsonl", row, answers="a", choices="c", score="s", mine="b")
    (found,) = rows(dataset)
    assert found.values == {"answers": ["x", "y"], "choices": ["p", "q"], "score": 1.5, "mine": [[1, 2, 3, 4]]}


@pytest.mark.parametrize(
    ("row", "columns", "told"),
    [
        ({"t": "a", "label": None}, {"label": "label"}, ':1: column "label" has no value'),
        ({"t": 3}, {"text": "t"}, ':1: column "t" holds 3, not a text'),
        ({"t": "a"}, {"label": "lable"}, ':1: no column "lable"; there are: t'),
        ({"answer": "a"}, {"reply": "answers"}, "did you mean answer?"),
        ({"s": "high"}, {"score": "s"}, ':1: column "s" holds "high", not a number'),
        ({"c": 3}, {"choices": "c"}, ':1: column "c" holds 3, not a list'),
        ({"i": {"size": 3}}, {"image": "i"}, ':1: column "i" holds dict, not the path of an image'),
    ],
)
def test_a_row_without_what_its_role_takes_is_told(
    tmp_path: Path, row: dict[str, object], columns: dict[str, str], told: str
) -> None:
    dataset = jsonl(tmp_path / "a.jsonl", row, **columns)
    for read in (data.check, lambda one: list(rows(one))):
        with pytest.raises(SourceError) as caught:
            read(dataset)
        assert told in caught.value.message


def test_a_role_that_the_dataset_has_not_is_told(tmp_path: Path) -> None:
    dataset = jsonl(tmp_path / "a.jsonl", {"t": "a"}, text="t")
    with pytest.raises(SourceError) as caught:
        list(rows(dataset, ("text", "label")))
    assert caught.value.message == "dataset d has no column for label"
    assert "which gives text" in str(caught.value.hint)


def test_images_of_rows_are_decoded_when_they_are_asked_for(tmp_path: Path) -> None:
    Image.new("RGB", (6, 4), (1, 2, 3)).save(tmp_path / "a.png")
    dataset = jsonl(tmp_path / "a.jsonl", {"i": "a.png"}, {"i": "b.png"}, image="i")
    first, second = (row.values["image"] for row in rows(dataset))
    assert isinstance(first, Picture) and isinstance(second, Picture)
    assert opened(first).getpixel((0, 0)) == (1, 2, 3)
    with pytest.raises(SourceError, match=r":2: column \"i\": .*b\.png: No such file"):
        opened(second)
    with pytest.raises(SourceError, match=r":2: column"):
        data.check(dataset)


def test_rows_take_no_more_memory_for_a_longer_file(tmp_path: Path) -> None:
    dataset = jsonl(tmp_path / "a.jsonl", *({"t": "x" * 1000} for _ in range(20_000)), text="t")
    tracemalloc.start()
    assert sum(len(str(row.values["text"])) for row in rows(dataset)) == 20_000_000
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1 << 20
