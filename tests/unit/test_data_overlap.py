"""Rows that calibrate and are measured on are counted, whatever files they are in."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from runner.data.overlap import overlap
from runner.recipe import load_recipe
from runner.recipe.types import Dataset
from runner.report.plan_table import describe, lines
from runner.run.shared import shared_rows
from runner.store import store_of


def texts(path: Path, *found: str) -> Dataset:
    path.write_text("".join(json.dumps({"t": text, "y": 1}) + "\n" for text in found))
    return Dataset("d", "file", path, "jsonl", columns={"text": "t", "label": "y"})


def test_texts_are_equal_in_any_format(tmp_path: Path) -> None:
    first = texts(tmp_path / "a.jsonl", "one", "two", "three", " ")
    second = texts(tmp_path / "b.jsonl", "two ", "four", "two", " ")
    assert overlap(first, second) == (2, 3)
    (tmp_path / "c.txt").write_text("three\n\nfive\n")
    assert overlap(first, Dataset("c", "file", tmp_path / "c.txt", "txt")) == (1, 2)
    assert overlap(replace(first, limit=1), second) == (0, 3)
    assert overlap(replace(first, where={"t": "two"}), second) == (2, 3)
    assert overlap(replace(first, columns={"label": "y"}), second) == (0, 0)


def test_of_very_many_rows_a_sample_is_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runner.data.overlap._MOST", 100)
    first = texts(tmp_path / "a.jsonl", *map(str, range(4000)))
    second = texts(tmp_path / "b.jsonl", *map(str, range(2000, 6000)))
    shared, rows = overlap(first, second)
    assert rows == 4000 and 1000 < shared < 3000


@pytest.mark.parametrize("changes", [{}, {"shuffle": True}, {"where": {"y": {"min": 0}}}])
@pytest.mark.parametrize("order", ["C", "F"])
def test_items_of_arrays(tmp_path: Path, changes: dict[str, object], order: str) -> None:
    images = np.arange(60, dtype=np.float32).reshape(10, 2, 3)
    np.savez(tmp_path / "a.npz", x=np.array(images[:6], order=order), y=np.arange(6))  # type: ignore[call-overload]
    np.savez(tmp_path / "b.npz", images=images[4:], y=np.arange(6))
    first = Dataset("a", "file", tmp_path / "a.npz", "npz", inputs={"": "x"})
    second = Dataset("b", "file", tmp_path / "b.npz", "npz", inputs={"": "images"}, **changes)  # type: ignore[arg-type]
    assert overlap(first, second) == (2, 6)


def test_images_by_their_content(tmp_path: Path) -> None:
    for name, gray in (("one/cat/a.png", 1), ("one/cat/b.png", 2), ("two/dog/c.png", 2), ("two/dog/d.png", 3)):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (4, 4), gray).save(tmp_path / name)
    columns = {"image": "image", "label": "label"}
    first, second = (Dataset(n, "file", tmp_path / n, "imagefolder", columns=columns) for n in ("one", "two"))
    assert overlap(first, second) == (1, 2)


def test_a_recipe_is_told_of_rows_that_do_both(tmp_path: Path) -> None:
    texts(tmp_path / "seen.jsonl", "one", "two", "three")
    texts(tmp_path / "new.jsonl", "three", "four")
    (tmp_path / "r.yaml").write_text(
        "model: {source: embedded, id: dialogpt-mini}\n"
        "datasets:\n"
        "  seen: {source: file, path: seen.jsonl, column: t}\n"
        "  new: {source: file, path: new.jsonl, column: t}\n"
        "compression: {algorithm: weight_compression, mode: int4_sym, group_size: 32, dataset: seen, awq: true}\n"
        "accuracy:\n"
        "  checks: [{metric: perplexity, dataset: new, max: 9}, {metric: perplexity, dataset: seen, max: 9}]\n"
    )
    recipe, store = load_recipe(str(tmp_path / "r.yaml")), store_of(tmp_path / "outputs")
    for _ in range(2):  # the second time it is remembered
        first, second = shared_rows([recipe, recipe], store)
        assert first.startswith("1 of 2 rows of new are in seen too, which calibrates the model: ")
        assert second.startswith("seen calibrates the model, and is measured on too: ")
    told = list(lines({**describe(recipe, []), "notes": [first]}))
    assert f"note: {first}" in told
