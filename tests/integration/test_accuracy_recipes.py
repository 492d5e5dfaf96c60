"""The recipes of docs/accuracy.md: each is run on a tiny model and rows as the page shows them; all pass the gates."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image

from tests.accuracy_page import RECIPES
from tests.conftest import Ovrun
from tests.geometry import gpt2_folder
from tests.tiny_models import MODELS

soundfile = pytest.importorskip("soundfile")
pytestmark = [pytest.mark.libraries, pytest.mark.newest]
PIPELINE = "stable-diffusion"
TINY = {task: name for name, (task, _) in reversed(MODELS.items())} | {"text-to-image": PIPELINE}
TASKS = sorted(RECIPES.keys() - {"arrays"})  # test_task_metrics.py runs an autoencoder
GATES = {"min": 0.001, "max": 1000, "max_drop": 0.99, "max_relative_increase": 1000}
"""That every model passes: random ones flip many rows."""
WORDS = ["ab c de", "a b c, d! efg", "w x", "g h i j", "ab", "k l m n"]
LABELS = ["LABEL_0", "LABEL_1"] * 3
MORE = {
    "automatic-speech-recognition-with-past": {"max_new_tokens": 8},
    "image-text-to-text": {"max_new_tokens": 8},
    "text-to-image": {"num_inference_steps": 2, "height": 64, "width": 64},
}
"""Settings of checks that keep a model which never ends from writing on, and images small."""


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    names = [TINY[task] for task in TASKS if task in TINY and TINY[task] != PIPELINE]
    subprocess.run([sys.executable, "-m", "tests.tiny_models", folder, *names], check=True, capture_output=True)
    subprocess.run([sys.executable, "-m", "tests.tiny_pipelines", folder, PIPELINE], check=True, capture_output=True)
    gpt2_folder(folder / "gpt2", layers=1, hidden=64, vocab=400, positions=128)
    _more(folder / "bert-tokens" / "config.json", id2label={"0": "O", "1": "B-PER"}, label2id={"O": 0, "B-PER": 1})
    _more(folder / "clip" / "tokenizer_config.json", pad_token="!")
    return folder


def _more(path: Path, **values: object) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def _pictures(folder: Path) -> list[str]:
    """Photos, and beside each a file of classes and one of distances."""
    random, names = np.random.default_rng(0), [f"{number}.png" for number in range(len(WORDS))]
    for name in names:
        Image.fromarray(random.integers(0, 256, (40, 50, 3), dtype=np.uint8)).save(folder / name)
        Image.fromarray(random.integers(0, 4, (40, 50), dtype=np.uint8)).save(folder / f"classes-{name}")
        Image.fromarray(random.integers(500, 9000, (40, 50)).astype(np.uint16)).save(folder / f"depth-{name}")
    return names


def _sounds(folder: Path) -> list[str]:
    names = [f"{number}.wav" for number in range(len(WORDS))]
    for number, name in enumerate(names):
        samples = 0.1 * np.random.default_rng(number).standard_normal(4000 * (number + 2))
        soundfile.write(folder / name, samples.astype(np.float32), 16000)
    return names


def write_rows(folder: Path) -> None:
    """All files that the page's recipes read."""
    photos, sounds, others = _pictures(folder), _sounds(folder), WORDS[1:] + WORDS[:1]
    made: dict[str, dict[str, list[Any]]] = {
        "reviews": {"review": WORDS, "stars": LABELS},
        "news": {"words": [text.split() for text in WORDS], "tags": [["B-PER"] * len(text.split()) for text in WORDS]},
        "squad": {"question": others, "context": WORDS, "answers": [[text.split()[0]] for text in WORDS]},
        "drawings": {"asked": WORDS},
        "gaps": {"text": [f"{text} [MASK]" for text in WORDS], "answers": [["a"]] * len(WORDS)},
        "search": {"asked": WORDS, "found": others},
        "alike": {"one": WORDS, "other": others, "alike": [0.1, 0.5, 0.2, 0.9, 0.4, 0.3]},
        "pairs": {"german": WORDS, "english": others},
        "chat": {"question": WORDS, "answer": others},
        "calls": {"file": sounds, "said": WORDS},
        "sounds": {"file": sounds, "kind": LABELS},
        "photos": {"file": photos, "kind": LABELS},
        "streets": {"photo": photos, "classes": [f"classes-{name}" for name in photos]},
        "rooms": {"photo": photos, "depth": [f"depth-{name}" for name in photos]},
        "yards": {"photo": photos, "objects": [{"bbox": [[5, 5, 20, 30]], "category": [1]}] * len(photos)},
        "exam": {"question": WORDS, "choices": [["ab", "c d", "e"]] * len(WORDS), "right": [0, 1, 2] * 2},
        "seen": {"file": photos, "asked": WORDS, "answers": [[text] for text in others]},
    }
    for name, columns in made.items():
        lines = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (folder / "book.txt").write_text("\n".join(WORDS * 40) + "\n")


@pytest.mark.parametrize("task", TASKS)
def test_a_recipe_of_the_page_measures_a_tiny_model(task: str, models: Path, ovrun: Ovrun, tmp_path: Path) -> None:
    recipe: dict[str, Any] = yaml.safe_load(RECIPES[task])
    model = models / TINY.get(task, "gpt2")
    recipe |= {"model": {"source": "local", "path": str(model), "task": task}, "conversion": {"check": False}}
    wanted = recipe["accuracy"]["checks"]
    recipe["accuracy"]["checks"] = [
        {key: GATES.get(key, value) for key, value in {**check, **MORE.get(task, {})}.items()} for check in wanted
    ]
    write_rows(tmp_path)
    for encoder in {check["encoder"] for check in wanted if "encoder" in check}:
        if task == "text-to-image":
            shutil.copytree(models / "clip", tmp_path / encoder)
            continue
        subprocess.run([sys.executable, "-m", "tests.tiny_sentences", "make", tmp_path / encoder], check=True)
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(recipe))
    ovrun("optimize", "mine.yaml")
    checks = json.loads((tmp_path / "outputs" / "mine" / "1" / "manifest.json").read_text())["checks"]
    assert [check["metric"] for check in checks] == [check["metric"] for check in wanted]
    for check in checks:
        assert np.isfinite(check["value"]), check
