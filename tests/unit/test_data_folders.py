"""Folders as datasets: images and sounds with their classes, what `datasets` saved, and the cache of the hub."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet
import pytest
import soundfile
from PIL import Image

from runner import data
from runner.data.images import Picture, opened
from runner.data.sounds import Sound, samples
from runner.data.table import count, rows
from runner.errors import SourceError
from runner.recipe.datasets import calibrating, narrowed
from runner.recipe.types import Dataset


def image(path: Path, gray: int = 0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", (5, 4), gray).save(path)


def images(folder: Path, **stated: object) -> Dataset:
    return Dataset("d", "file", folder, "imagefolder", columns={"image": "image", "label": "label"}, **stated)  # type: ignore[arg-type]


def refusal(dataset: Dataset) -> str:
    with pytest.raises(SourceError) as caught:
        data.check(dataset)
    return caught.value.message


def test_subfolders_are_classes(tmp_path: Path) -> None:
    for number, name in enumerate(("dog/b.png", "cat/a.jpg", "cat/deep/c.bmp", ".hidden/d.png")):
        image(tmp_path / name, number)
    (tmp_path / "cat" / "notes.txt").write_text("no image")
    dataset = images(tmp_path)
    data.check(dataset)
    found = list(rows(dataset))
    assert [(row.values["label"], row.where) for row in found] == [
        ("cat", str(tmp_path / "cat" / "a.jpg")),
        ("deep", str(tmp_path / "cat" / "deep" / "c.bmp")),
        ("dog", str(tmp_path / "dog" / "b.png")),
    ]
    pictures = [row.values["image"] for row in found]
    assert all(isinstance(one, Picture) and opened(one).size == (5, 4) for one in pictures)
    assert [row.values["label"] for row in rows(replace(dataset, where={"label": "dog"}))] == ["dog"]


def test_a_table_beside_images_says_what_they_are(tmp_path: Path) -> None:
    for name in ("a.png", "sub/b.png"):
        image(tmp_path / name)
    (tmp_path / "metadata.csv").write_text("file_name,kind,caption\nsub/b.png,3,a cat\na.png,4,a dog\n")
    dataset = replace(images(tmp_path), columns={"image": "image", "label": "kind", "text": "caption"})
    data.check(dataset)
    found = list(rows(dataset))
    assert [(row.values["label"], row.values["text"]) for row in found] == [(3, "a cat"), (4, "a dog")]
    assert [one.text for one in data.read_images(dataset)] == ["a cat", "a dog"]
    assert found[0].where == f"{tmp_path / 'metadata.csv'}:2"
    assert [row.values["label"] for row in rows(replace(dataset, where={"kind": {"min": 4}}, shuffle=True))] == [4]
    (tmp_path / "metadata.csv").write_text("file_name,kind\nsub/c.png,3\n")
    with pytest.raises(SourceError, match=r'csv:2: no column "label"; there are: kind, image'):
        list(rows(narrowed(images(tmp_path), ("label",))))
    assert "sub/c.png: No such file" in refusal(replace(dataset, columns={"image": "image", "label": "kind"}))


def test_images_without_classes_calibrate_and_a_check_of_classes_tells(tmp_path: Path) -> None:
    image(tmp_path / "a.png")
    data.check(images(tmp_path))
    assert data.digest(images(tmp_path)) == data.digest(calibrating(images(tmp_path)))
    with pytest.raises(SourceError, match='no column "label"; there are: image'):
        list(rows(narrowed(images(tmp_path), ("label",))))


def test_parts_of_a_folder_are_named_by_split(tmp_path: Path) -> None:
    image(tmp_path / "train" / "cat" / "a.png")
    image(tmp_path / "test" / "dog" / "b.png")
    assert "has the parts test, train" in refusal(images(tmp_path))
    assert [row.values["label"] for row in rows(images(tmp_path, split="test"))] == ["dog"]
    assert "val: no such folder" in refusal(images(tmp_path, split="val"))
    assert "no such folder" in refusal(images(tmp_path, split="../x"))


def test_what_is_wrong_with_a_folder_of_images(tmp_path: Path) -> None:
    assert "has no files that end in .bmp, " in refusal(images(tmp_path))
    assert "no such folder" in refusal(images(tmp_path / "none"))
    (tmp_path / "cat").mkdir()
    (tmp_path / "cat" / "a.png").write_bytes(b"no image")
    assert refusal(images(tmp_path)).endswith("a.png: is no image")
    outside = tmp_path.parent / "outside.png"
    image(outside)
    (tmp_path / "cat" / "a.png").unlink()
    (tmp_path / "cat" / "a.png").symlink_to(outside)
    assert "outside of the dataset's folder" in refusal(images(tmp_path))


def test_the_digest_of_a_folder_is_that_of_its_images_and_classes(tmp_path: Path) -> None:
    image(tmp_path / "one" / "cat" / "a.png", 1)
    image(tmp_path / "two" / "cat" / "b.png", 1)
    first, second = images(tmp_path / "one"), images(tmp_path / "two")
    assert data.digest(first) == data.digest(second)
    assert tmp_path / "one" / "cat" in data.files(first) and tmp_path / "one" / "cat" / "a.png" in data.files(first)
    image(tmp_path / "two" / "cat" / "b.png", 2)
    assert data.digest(first) != data.digest(second)


def test_a_folder_of_sounds(tmp_path: Path) -> None:
    wave = np.sin(np.arange(800, dtype=np.float32) / 9)
    stereo = np.stack([wave, np.zeros_like(wave)], axis=1)
    for name, sound in (("a.wav", wave), ("b.flac", stereo)):
        soundfile.write(tmp_path / name, sound, 8000)
    (tmp_path / "metadata.jsonl").write_text(
        '{"file_name": "a.wav", "said": "one"}\n{"file_name": "b.flac", "said": "two"}\n'
    )
    dataset = Dataset("d", "file", tmp_path, "audiofolder", columns={"audio": "audio", "reply": "said"})
    data.check(dataset)
    first, second = (row.values["audio"] for row in rows(dataset))
    assert isinstance(first, Sound) and isinstance(second, Sound)
    assert samples(first)[1] == samples(second)[1] == 8000
    np.testing.assert_allclose(samples(first)[0], wave, atol=1e-4)
    np.testing.assert_allclose(samples(second)[0], wave / 2, atol=1e-4)
    (tmp_path / "b.flac").write_bytes((tmp_path / "b.flac").read_bytes()[:-300])
    assert f"{tmp_path / 'metadata.jsonl'}:2: {tmp_path / 'b.flac'}: the sound can't be read" in refusal(dataset)
    (tmp_path / "b.flac").write_bytes(b"no sound")
    assert "b.flac: the sound can't be read" in refusal(dataset)


def saved(folder: Path, texts: list[str]) -> None:
    """A folder as `datasets.Dataset.save_to_disk` makes it: a stream of batches, and what it says of itself."""
    folder.mkdir(parents=True)
    table = pa.table({"text": texts, "label": list(range(len(texts)))})
    half = len(texts) // 2
    for number, rows_of in enumerate((table.slice(0, half), table.slice(half))):
        with pa.OSFile(str(folder / f"data-{number:05}-of-00002.arrow"), "wb") as sink:
            with pa.ipc.new_stream(sink, table.schema) as writer:
                writer.write_table(rows_of)
    names = [{"filename": f"data-{number:05}-of-00002.arrow"} for number in range(2)]
    (folder / "state.json").write_text(json.dumps({"_data_files": names, "_indices_files": None}))
    (folder / "dataset_info.json").write_text("{}")


COLUMNS = {"text": "text", "label": "label"}


def test_what_datasets_saved(tmp_path: Path) -> None:
    for split, texts in (("train", ["a", "b", "c", "d"]), ("validation", ["e", "f"])):
        saved(tmp_path / split, texts)
    (tmp_path / "dataset_dict.json").write_text('{"splits": ["train", "validation"]}')
    dataset = Dataset("d", "file", tmp_path, "dataset", columns=COLUMNS)
    assert "has the splits train, validation" in refusal(dataset)
    assert "no split" in refusal(replace(dataset, split="test"))
    train = replace(dataset, split="train")
    data.check(train)
    assert [(row.number, row.values["text"]) for row in rows(train)] == [(0, "a"), (1, "b"), (2, "c"), (3, "d")]
    alone = Dataset("d", "file", tmp_path / "validation", "dataset", columns=COLUMNS)
    assert data.read_text(alone) == ["e", "f"]
    (tmp_path / "train" / "state.json").write_text('{"_data_files": [{"filename": "../x.arrow"}]}')
    assert "names files that are no Arrow files beside it" in refusal(train)
    (tmp_path / "train" / "state.json").write_text('{"_data_files": [], "_indices_files": [{"filename": "i.arrow"}]}')
    assert "was saved with a list of the rows in use" in refusal(train)


def hub_files(folder: Path) -> None:
    for name, texts in (("data/train-00000-of-00002", "ab"), ("data/train-00001-of-00002", "c"), ("data/test-0", "d")):
        (folder / "data").mkdir(parents=True, exist_ok=True)
        pa.parquet.write_table(pa.table({"text": list(texts), "label": [1] * len(texts)}), folder / f"{name}.parquet")
    (folder / "README.md").write_text("# data")
    (folder / "script.py").write_text("raise SystemExit('this must not run')")


def test_data_files_as_the_hub_has_them(tmp_path: Path) -> None:
    hub_files(tmp_path)
    dataset = Dataset("d", "file", tmp_path, "dataset", columns=COLUMNS)
    assert "has the splits " in refusal(dataset)
    assert data.read_text(replace(dataset, split="train")) == ["a", "b", "c"]
    assert data.read_text(replace(dataset, split="test", limit=1)) == ["d"]
    assert count(replace(dataset, split="train", shuffle=True)) == 3
    hub_files(tmp_path / "whole")
    hub_files(tmp_path / "other")
    assert "has the folders data, other/data, whole/data" in refusal(replace(dataset, split="train"))
    assert data.read_text(replace(dataset, split="other/train")) == ["a", "b", "c"]
    assert "has no data files" in refusal(replace(dataset, split="nowhere/train"))


def test_a_dataset_of_the_hub_comes_out_of_its_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commit = "0123456789abcdef0123456789abcdef01234567"
    cached = tmp_path / "hub" / "datasets--me--texts"
    hub_files(cached / "snapshots" / commit)
    (cached / "refs").mkdir()
    (cached / "refs" / "main").write_text(commit)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    dataset = Dataset("d", "huggingface", Path("me/texts"), "dataset", id="me/texts", columns=COLUMNS, split="train")
    for revision in (commit, None):
        assert data.read_text(replace(dataset, revision=revision)) == ["a", "b", "c"]
    assert data.digest(dataset) == data.digest(replace(dataset, revision=commit))
    assert "is not in the hub's cache" in refusal(replace(dataset, id="me/others", path=Path("me/others")))
