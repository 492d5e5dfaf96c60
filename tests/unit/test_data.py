"""Datasets: what is read of each format, what is found wrong before any work, and what the digest covers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from runner import data
from runner.data.arrays import Arrays
from runner.errors import SourceError
from runner.recipe.datasets import calibrating, kinds, narrowed
from runner.recipe.types import Dataset, Preprocess


def text(path: Path, content: str | bytes, **fields: Any) -> Dataset:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return Dataset("d", "file", path, path.suffix[1:], **fields)


def arrays(path: Path, stored: dict[str, Any], compressed: bool = False, **fields: Any) -> Dataset:
    (np.savez_compressed if compressed else np.savez)(path, **stored)
    return Dataset("d", "file", path, "npz", **{"inputs": {"": "images"}, **fields})


def refusal(dataset: Dataset) -> str:
    with pytest.raises(SourceError) as caught:
        data.check(dataset)
    return caught.value.message


def test_a_text_file_is_one_text_with_its_line_ends(tmp_path: Path) -> None:
    dataset = text(tmp_path / "a.txt", "\ufeffone\r\n\ntwo\nthree")
    data.check(dataset)
    assert data.read_text(dataset) == ["one\r\n\ntwo\nthree"]
    assert data.read_text(replace(dataset, limit=3)) == ["one\r\n\ntwo\n"]


def test_jsonl_rows_without_text_and_blank_lines_are_left_out(tmp_path: Path) -> None:
    rows = '{"text": "one"}\n\n{"text": " "}\n{"text": "two"}\nnot JSON, beyond the limit'
    dataset = text(tmp_path / "a.jsonl", rows, columns={"text": "text"}, limit=3)
    data.check(dataset)
    assert data.read_text(dataset) == ["one", "two"]


def test_jsonl_pairs(tmp_path: Path) -> None:
    dataset = text(
        tmp_path / "a.jsonl", '{"q": "1+1", "a": "2"}\n{"q": "", "a": "3"}', columns={"prompt": "q", "reply": "a"}
    )
    assert data.read_pairs(dataset) == [("1+1", "2"), ("", "3")]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ('{"text": "one"}\n{"text": ', ":2:10: not JSON"),
        ('{"text": "one"}\n["text"]', ":2: a JSON list, not an object"),
        ('{"text": "one"}\n{"txt": "a", "id": "b"}', ':2: no column "text"; there are: txt, id (did you mean txt?)'),
        ('{"text": 3}', ':1: column "text" holds 3, not a text'),
        ("", "has no rows with text"),
        ('{"text": "  "}\n\n', "has no rows with text"),
        (b'{"text": "one"}\n{"text": "\xff"}', ":2:11: byte 0xff is not UTF-8"),
        ("[" * 100_000, ":1: JSON nested too deeply"),
    ],
)
def test_what_is_wrong_with_a_jsonl_file(tmp_path: Path, content: str | bytes, expected: str) -> None:
    assert expected in refusal(text(tmp_path / "a.jsonl", content, columns={"text": "text"}))


def test_a_jsonl_dataset_names_its_columns(tmp_path: Path) -> None:
    assert "names no column" in refusal(text(tmp_path / "a.jsonl", '{"text": "one"}'))


@pytest.mark.parametrize(("content", "expected"), [(" \n\n", "has no text"), (b"a\nb\xe9", ":2:2: byte 0xe9")])
def test_what_is_wrong_with_a_text_file(tmp_path: Path, content: str | bytes, expected: str) -> None:
    assert expected in refusal(text(tmp_path / "a.txt", content))


def test_no_file_a_folder_and_an_unknown_format(tmp_path: Path) -> None:
    assert "no such file" in refusal(Dataset("d", "file", tmp_path / "none.txt", "txt"))
    assert "is a folder" in refusal(Dataset("d", "file", tmp_path, "txt"))
    assert "did you mean jsonl?" in refusal(text(tmp_path / "a.jsonlx", "{}"))
    with pytest.raises(SourceError, match="no such file"):
        data.digest(Dataset("d", "file", tmp_path / "none.txt", "txt"))


def test_a_dataset_says_what_it_gives(tmp_path: Path) -> None:
    dataset = text(tmp_path / "a.jsonl", '{"text": "one"}', columns={"text": "text"})
    assert kinds(dataset) == {"text"}
    both = replace(dataset, columns={"text": "text", "prompt": "q", "reply": "a"})
    assert kinds(both) == {"text", "prompt", "reply", "pairs"}
    assert kinds(narrowed(both, ("pairs",))) == {"prompt", "reply", "pairs"} and kinds(calibrating(both)) == {"text"}
    with pytest.raises(
        SourceError, match=r"gives no pairs; what is needed here is rows \(.*jsonl.*\) with `prompt` and `reply`"
    ):
        data.read_pairs(dataset)
    with pytest.raises(SourceError, match="gives no arrays"):
        data.read_arrays(dataset)


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("order", ["C", "F"])
def test_npz_arrays_up_to_the_limit(tmp_path: Path, compressed: bool, order: Any) -> None:
    images = np.arange(48, dtype=np.uint8).reshape(4, 2, 2, 3)
    stored = {"images": np.array(images, order=order), "labels": np.arange(4).reshape(4, 1)}
    found = data.read_arrays(arrays(tmp_path / "a.npz", stored, compressed, columns={"label": "labels"}, limit=3))
    assert len(found) == 3
    np.testing.assert_array_equal(found.batch(1, 9)[""], images[1:3])
    assert found.labels is not None
    np.testing.assert_array_equal(found.labels, [0, 1, 2])


def test_preprocessing_is_scale_mean_std_then_layout_then_dtype() -> None:
    images = np.random.default_rng(0).integers(0, 256, (5, 4, 6, 3), np.uint8)
    mean, std = (0.4, 0.5, 0.6), (0.1, 0.2, 0.3)
    steps = Preprocess(1 / 255, mean, std, ("NHWC", "NCHW"), "float32")
    result = Arrays({"": images}, None, steps).batch(1, 3)[""]
    expected = ((images[1:3].astype(np.float64) / 255 - mean) / std).transpose(0, 3, 1, 2)
    assert result.dtype == np.float32
    assert result.flags.c_contiguous
    np.testing.assert_allclose(result, expected, rtol=1e-5, atol=1e-6)
    single = Arrays({"": images}, None, Preprocess(mean=(10.0,), dtype="int32")).batch(0, 5)[""]
    np.testing.assert_array_equal(single, images.astype(int) - 10)


def pixels(items: int = 4) -> np.ndarray[Any, Any]:
    return np.zeros((items, 2, 2, 3), np.uint8)


@pytest.mark.parametrize(
    ("stored", "fields", "expected"),
    [
        ({"imgs": pixels(), "y": pixels()}, {}, 'no array "images"; there are: imgs, y (did you mean imgs?)'),
        (
            {"images": pixels(), "y": np.arange(3)},
            {"columns": {"label": "y"}},
            "differ in length: images has 4, y has 3",
        ),
        ({"images": pixels(0)}, {}, "has no items"),
        ({"images": np.array(3)}, {}, "has no items"),
        ({"images": np.array([{}], object)}, {}, "holds pickled objects"),
        ({"images": pixels(), "y": np.zeros((4, 10), int)}, {"columns": {"label": "y"}}, "integers of shape [4]"),
        ({"images": pixels(), "y": np.zeros(4)}, {"columns": {"label": "y"}}, "have type <f8"),
        ({"images": pixels()}, {"inputs": {}}, "names no `inputs`"),
        ({"images": pixels()}, {"preprocess": Preprocess(layout=("NHW", "NWH"))}, "doesn't have the layout NHW"),
        (
            {"images": pixels()},
            {"preprocess": Preprocess(mean=(1.0, 2.0), layout=("NHWC", "NCHW"))},
            "doesn't have the 2 channels of `mean` in layout NHWC",
        ),
        ({"images": pixels()}, {"preprocess": Preprocess(std=(1.0, 2.0))}, "a layout (none is given)"),
    ],
)
def test_what_is_wrong_with_an_npz_file(
    tmp_path: Path, stored: dict[str, Any], fields: dict[str, Any], expected: str
) -> None:
    assert expected in refusal(arrays(tmp_path / "a.npz", stored, **fields))


def test_a_damaged_npz_file(tmp_path: Path) -> None:
    dataset = arrays(tmp_path / "a.npz", {"images": np.random.default_rng(0).random((400, 30))}, compressed=True)
    whole = dataset.path.read_bytes()
    dataset.path.write_bytes(whole[:-100])
    assert "not a readable npz file" in refusal(dataset)
    dataset.path.write_bytes(whole[:50_000] + bytes(1000) + whole[51_000:])
    data.check(dataset)
    for limit in (None, 390):
        with pytest.raises(SourceError, match="not a readable npz file"):
            data.read_arrays(replace(dataset, limit=limit))
    dataset.path.write_bytes(b"")
    assert "not a readable npz file" in refusal(dataset)


def test_the_digest_covers_content_and_all_that_shapes_the_reading(tmp_path: Path) -> None:
    dataset = text(tmp_path / "a.jsonl", '{"text": "one"}', columns={"text": "text"})
    first = data.digest(dataset)
    assert len(first) == 64
    moved = text(tmp_path / "b.jsonl", '{"t": "one"}', columns={"text": "t"})
    assert data.digest(replace(moved, name="other")) == first == data.digest(replace(dataset, limit=1))
    two = text(tmp_path / "c.jsonl", '{"text": "two", "y": 1}', columns={"text": "text"})
    others = [
        replace(dataset, format="txt", columns={}),
        replace(dataset, columns={"prompt": "text"}),
        replace(dataset, preprocess=Preprocess()),
        replace(dataset, preprocess=Preprocess(scale=2)),
        two,
        replace(two, columns={"text": "text", "label": "y"}),
    ]
    assert len({first, *map(data.digest, others)}) == len(others) + 1
