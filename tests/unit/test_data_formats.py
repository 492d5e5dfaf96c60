"""Each format of a dataset gives the same rows, and says what is wrong with a file and with a row of it."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet
import pytest

from runner import data
from runner.data.table import count, rows
from runner.errors import SourceError
from runner.recipe.types import Dataset, Preprocess

TABLE = [{"t": f'text {number}, "quoted"\nline', "y": str(number), "n": str(number * 2)} for number in range(600)]
TYPED = [{"t": row["t"], "y": int(row["y"]), "n": int(row["n"])} for row in TABLE]


def _separated(path: Path) -> None:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, ["t", "y", "n"], delimiter="\t" if path.suffix == ".tsv" else ",")
        writer.writeheader()
        writer.writerows(TABLE)


def _arrow(path: Path) -> None:
    table = pa.Table.from_pylist(TYPED)
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table, max_chunksize=100)


def _stream(path: Path) -> None:
    table = pa.Table.from_pylist(TYPED)
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table, max_chunksize=100)


WRITERS: dict[str, tuple[str, Callable[[Path], Any]]] = {
    "jsonl": ("a.jsonl", lambda path: path.write_text("".join(json.dumps(row) + "\n" for row in TYPED))),
    "json": ("a.json", lambda path: path.write_text(json.dumps(TYPED, indent=1))),
    "csv": ("a.csv", _separated),
    "tsv": ("a.tsv", _separated),
    "parquet": ("a.parquet", lambda path: pa.parquet.write_table(pa.Table.from_pylist(TYPED), path, row_group_size=70)),
    "arrow": ("a.arrow", _arrow),
    "arrow stream": ("a.arrow", _stream),
}


@pytest.fixture(params=WRITERS)
def table(request: pytest.FixtureRequest, tmp_path: Path) -> Dataset:
    name, write = WRITERS[request.param]
    write(tmp_path / name)
    return Dataset("d", "file", tmp_path / name, name.partition(".")[2], columns={"text": "t", "label": "y"})


def labels(dataset: Dataset) -> list[Any]:
    return [row.values["label"] for row in rows(dataset, ("label",))]


def test_each_format_gives_the_same_rows(table: Dataset) -> None:
    data.check(table)
    found = list(rows(table))
    assert [row.number for row in found] == list(range(600)) and count(table) == 600
    assert [row.values for row in found] == [{"text": row["t"], "label": row["y"]} for row in TYPED]
    assert data.read_text(replace(table, limit=2)) == [row["t"] for row in TYPED[:2]]


def test_equal_rows_have_equal_digests_whatever_file_they_are_in(table: Dataset, tmp_path: Path) -> None:
    other = tmp_path / "other.jsonl"
    WRITERS["jsonl"][1](other)
    assert data.digest(table) == data.digest(replace(table, path=other, format="jsonl"))


def test_rows_are_chosen_by_conditions_and_shuffled_by_a_seed(table: Dataset) -> None:
    few = replace(table, where={"n": {"min": 100, "max": 120}, "y": {"not": [55]}})
    assert labels(few) == [50, 51, 52, 53, 54, 56, 57, 58, 59, 60]
    mixed = replace(few, shuffle=True, seed=3)
    assert labels(mixed) != labels(few) and sorted(labels(mixed)) == labels(few)
    assert labels(mixed) == labels(mixed) != labels(replace(mixed, seed=4))
    assert labels(replace(mixed, limit=4)) == labels(mixed)[:4]
    whole = [(row.number, row.values["label"]) for row in rows(replace(table, shuffle=True))]
    assert all(number == label for number, label in whole) and len(set(whole)) == 600


def test_only_rows_that_are_used_are_in_the_digest(table: Dataset) -> None:
    few = replace(table, limit=10)
    assert data.digest(few) == data.digest(replace(table, where={"y": {"max": 9}})) != data.digest(table)
    assert data.digest(replace(few, shuffle=True)) != data.digest(replace(few, shuffle=True, seed=1))
    assert data.digest(replace(few, columns={"text": "t"})) != data.digest(few)


def test_a_column_that_is_not_there_is_told_with_those_that_are(table: Dataset) -> None:
    for wrong in (replace(table, columns={"text": "tt"}), replace(table, where={"tt": "a"})):
        with pytest.raises(SourceError) as caught:
            data.check(wrong)
        assert 'no column "tt"; there are: ' in caught.value.message and "(did you mean t?)" in caught.value.message


def test_conditions_that_nothing_meets_are_told(table: Dataset) -> None:
    with pytest.raises(SourceError, match="no rows with text that `where` lets through"):
        data.check(replace(table, where={"y": -1}))


@pytest.mark.parametrize(
    ("condition", "value", "met"),
    [
        ("en", "en", True),
        ("en", "de", False),
        (3, "3.0", True),
        (3, True, False),
        (True, "true", True),
        (["a", "b"], "b", True),
        ({"is": "a"}, "a", True),
        ({"in": ["a", 2]}, 2, True),
        ({"not": "a"}, "a", False),
        ({"not": ["a", "b"]}, "c", True),
        ({"min": 2, "max": 3}, 2, True),
        ({"min": 2}, None, False),
        ({"min_length": 2, "max_length": 3}, "abc", True),
        ({"max_length": 1}, [1, 2], False),
        ({"contains": "b"}, "abc", True),
        ({"contains": 3}, [1, 3], True),
        ({"contains": 3}, None, False),
        ({"known": True}, None, False),
        ({"known": False}, "", True),
    ],
)
def test_what_conditions_mean(condition: object, value: object, met: bool, tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text(json.dumps({"v": value}))
    dataset = Dataset("d", "file", tmp_path / "a.jsonl", "jsonl", columns={}, where={"v": condition})
    assert count(dataset) == met


@pytest.mark.parametrize(
    ("condition", "told"), [({"min": 1}, "how large it is"), ({"min_length": 1}, "how long it is")]
)
def test_a_condition_that_a_value_can_not_be_asked(condition: object, told: str, tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"v": {"a": 1}}')
    with pytest.raises(SourceError, match=told):
        count(Dataset("d", "file", tmp_path / "a.jsonl", "jsonl", where={"v": condition}))


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("a.csv", "t,y\na,1\nb\n", "a.csv:3: 1 values, and the first line names 2 columns"),
        ("a.csv", 't,y\n"a,1\n', "a.csv:2: unexpected end of data"),
        ("a.csv", "t,t\na,b\n", 'a.csv:1: two columns are named "t"'),
        ("a.csv", "", "has no rows"),
        ("a.tsv", "t\ty\n\n", "has no rows"),
        ("a.json", '{"t": "a"}', "not a list of JSON objects"),
        ("a.json", '[{"t": "a"}, 3]', "row 2: not a JSON object"),
        ("a.json", '[{"t": "a"}, {"t": }]', "row 2: not JSON: Expecting value"),
        ("a.json", '[{"t": "a"} {"t": "b"}]', "row 1: not followed by a comma"),
        ("a.json", '[{"t": "a"}] 3', "something follows the list"),
        ("a.json", '[{"t": "a"}', "row 1: not followed by a comma or the end"),
        ("a.json", '[{"t": ' + "[" * 100_000, "row 1: JSON nested too deeply"),
        ("a.json", "[]", "has no rows"),
        ("a.parquet", "PAR1 nothing", "a.parquet can't be read"),
        ("a.arrow", "ARROW1 nothing", "a.arrow can't be read"),
        ("a.arrow", "nothing", "a.arrow can't be read"),
    ],
)
def test_what_is_wrong_with_a_file(name: str, content: str, told: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(SourceError) as caught:
        data.check(Dataset("d", "file", tmp_path / name, name[2:], columns={"text": "t"}))
    assert told in caught.value.message


def test_a_row_without_its_label_is_told_with_its_place(tmp_path: Path) -> None:
    (tmp_path / "b.jsonl").write_text('{"t": "a", "y": 1}\n{"t": "b", "y": null}\n')
    (tmp_path / "b.csv").write_text("t,y\na,1\nb,\n")
    broken = pa.Table.from_pylist([{"t": "a", "y": 1}, {"t": "b", "y": None}])
    pa.parquet.write_table(broken, tmp_path / "b.parquet")
    for name, place in (("b.jsonl", "b.jsonl:2"), ("b.csv", "b.csv:3"), ("b.parquet", "b.parquet, row 2")):
        columns = {"text": "t", "label": "y"}
        with pytest.raises(SourceError) as caught:
            data.check(Dataset("d", "file", tmp_path / name, name[2:], columns=columns))
        assert caught.value.message == f'{tmp_path / place}: column "y" has no value'


def test_blocks_of_json_end_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.json").write_text(json.dumps(TYPED[:20], ensure_ascii=False).replace("text", "tëxt"))
    monkeypatch.setattr("runner.data.objects._BLOCK", 7)
    dataset = Dataset("d", "file", tmp_path / "a.json", "json", columns={"label": "y"})
    assert labels(dataset) == list(range(20))


@pytest.mark.parametrize("suffix", ["npz", "npy"])
def test_items_of_arrays_are_chosen_and_shuffled_as_rows_are(suffix: str, tmp_path: Path) -> None:
    images, y = np.arange(600, dtype=np.float32).reshape(100, 2, 3), np.arange(100)
    if suffix == "npz":
        np.savez(tmp_path / "images.npz", images=images, y=y)
    else:
        np.save(tmp_path / "images.npy", images)
        np.save(tmp_path / "y.npy", y)
    path = tmp_path / f"images.{suffix}"
    dataset = Dataset("d", "file", path, suffix, inputs={"": "images"}, columns={"label": "y"})
    few = replace(dataset, where={"y": {"min": 10}}, shuffle=True, limit=5)
    found = data.read_arrays(few)
    assert found.labels is not None and len(found) == 5 and found.labels.min() >= 10
    np.testing.assert_array_equal(found.inputs[""], images[found.labels])
    assert [row.number for row in rows(few, ("label",))] == found.labels.tolist()
    first = data.read_arrays(replace(dataset, limit=3))
    np.testing.assert_array_equal(first.inputs[""], images[:3])
    assert data.digest(replace(dataset, limit=3)) != data.digest(replace(dataset, limit=4))
    assert set(data.files(dataset)) == ({path} if suffix == "npz" else {path, tmp_path / "y.npy"})


def test_only_items_that_are_used_are_in_the_digest_of_arrays(tmp_path: Path) -> None:
    images = np.arange(60, dtype=np.uint8).reshape(10, 2, 3)
    np.savez(tmp_path / "a.npz", images=images)
    images[5:] = 0
    np.savez_compressed(tmp_path / "b.npz", images=images, more=images)
    first, second = (
        Dataset("d", "file", tmp_path / n, "npz", inputs={"": "images"}, limit=5) for n in ("a.npz", "b.npz")
    )
    assert data.digest(first) == data.digest(second) != data.digest(replace(first, preprocess=Preprocess(scale=2)))
    assert data.digest(replace(first, limit=6)) != data.digest(replace(second, limit=6))
