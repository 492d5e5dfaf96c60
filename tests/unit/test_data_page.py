"""What docs/data.md shows is read: every dataset of it, from a file of its format."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet
import pytest
import soundfile
import yaml
from PIL import Image

from runner import data
from runner.data.table import count
from runner.recipe.build import dataset
from runner.recipe.load import load_recipe
from runner.registry.formats import FORMATS

PAGE = Path(__file__).parents[2] / "docs" / "data.md"
ROWS = [{"review": f"about {n}, a text", "stars": n % 5, "language": "en", "length": n} for n in range(8, 24)]


def blocks() -> list[str]:
    """The blocks of code, each as it would stand in a file."""
    found: list[list[str]] = [[]]
    for line in PAGE.read_text().splitlines():
        if line.startswith("    ") or (not line and found[-1]):
            found[-1].append(line[4:])
        elif found[-1]:
            found.append([])
    return ["\n".join(block).strip("\n") + "\n" for block in found if block]


def stated() -> dict[str, Any]:
    datasets: dict[str, Any] = {}
    for block in blocks():
        datasets |= yaml.safe_load(block)["datasets"]
    return datasets


def separated(path: Path, delimiter: str) -> None:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(ROWS[0]), delimiter=delimiter)
        writer.writeheader()
        writer.writerows(ROWS)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with all files that the page names, and a hub's cache."""
    table = pa.Table.from_pylist(ROWS)
    (tmp_path / "texts.txt").write_text("one\ntwo\n")
    (tmp_path / "reviews.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    (tmp_path / "reviews.json").write_text(json.dumps(ROWS))
    separated(tmp_path / "reviews.csv", ",")
    separated(tmp_path / "reviews.tsv", "\t")
    pa.parquet.write_table(table, tmp_path / "reviews.parquet")
    cached = tmp_path / "hub" / "datasets--me--reviews" / "snapshots" / "0123456789abcdef0123456789abcdef01234567"
    for folder in (tmp_path / "saved" / "validation", cached):
        folder.mkdir(parents=True)
    for path in (tmp_path / "reviews.arrow", tmp_path / "saved" / "validation" / "data-00000-of-00001.arrow"):
        with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(table)
    (tmp_path / "saved" / "dataset_dict.json").write_text('{"splits": ["validation"]}')
    (tmp_path / "saved" / "validation" / "state.json").write_text(
        '{"_data_files": [{"filename": "data-00000-of-00001.arrow"}]}'
    )
    pa.parquet.write_table(table, cached / "train-00000-of-00001.parquet")
    (tmp_path / "quiz.yaml").write_text(
        "{task: quiz, dataset_path: json, dataset_kwargs: {data_files: {test: reviews.jsonl}}, test_split: test}"
    )
    images = np.zeros((4, 3, 3), np.uint8)
    np.savez(tmp_path / "digits.npz", images=images, labels=np.arange(4))
    np.save(tmp_path / "images.npy", images)
    np.save(tmp_path / "labels.npy", np.arange(4))
    for name in ("photos/cat/a.png", "captioned/a.png"):
        (tmp_path / name).parent.mkdir(parents=True)
        Image.new("RGB", (300, 280)).save(tmp_path / name)
    (tmp_path / "captioned" / "metadata.csv").write_text("file_name,caption,kind\na.png,a cat,3\n")
    (tmp_path / "spoken").mkdir()
    soundfile.write(tmp_path / "spoken" / "a.wav", np.zeros(80, np.float32), 8000)
    (tmp_path / "spoken" / "metadata.csv").write_text("file_name,said\na.wav,one\n")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    return tmp_path


def test_every_dataset_of_the_page_is_valid_and_read(project: Path) -> None:
    datasets = stated()
    recipe = {"name": "page", "model": {"source": "embedded", "id": "dialogpt-mini"}, "datasets": datasets}
    (project / "recipe.yaml").write_text(yaml.safe_dump(recipe))
    loaded = load_recipe(str(project / "recipe.yaml"))
    for name, one in loaded.datasets.items():
        data.check(one)
        assert count(one) and len(data.digest(one)) == 64, name
    assert loaded.datasets.keys() == datasets.keys()


def test_the_page_shows_each_format() -> None:
    shown = {dataset(name, {"path": "x", **one}).format for name, one in stated().items()}
    assert shown == {name for name, declared in FORMATS.items() if not declared.distribution}
