"""The recipes of docs/tasks.md: each is run, with a tiny model in the place of the reader's."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml

from runner.artifact.published import Version
from runner.model.parts import Model
from runner.registry.tasks import family_of
from tests.conftest import Ovrun
from tests.foreign.onnx import onnx_file
from tests.geometry import gpt2_folder
from tests.tiny_models import MODELS

PAGE = (Path(__file__).parents[2] / "docs" / "tasks.md").read_text(encoding="utf-8")
RECIPES = dict(re.findall(r"^### (\S+)\n\n((?:    .*\n)+)", PAGE, re.MULTILINE))
"""Name of a task -> the recipe that is given for it, indented."""
TINY = {task: name for name, (task, _) in reversed(MODELS.items())}
"""Task -> a model of it."""


def model_for(task: str, path: Path) -> None:
    """Write a tiny model of a task."""
    if task == "arrays":
        onnx_file(path)
    elif task == "text-generation-with-past":
        gpt2_folder(path, layers=1, hidden=64, vocab=400, positions=128)
    else:
        kind = "tiny_models" if task in TINY else "tiny_pipelines"
        name = TINY.get(task, "stable-diffusion")
        words = [sys.executable, "-m", f"tests.{kind}", path.parent, name]
        subprocess.run(words, check=True, capture_output=True)
        (path.parent / name).rename(path)


@pytest.mark.newest
@pytest.mark.libraries
@pytest.mark.parametrize("task", RECIPES)
def test_the_recipe_of_a_task_is_one_that_runs(task: str, ovrun: Ovrun, tmp_path: Path) -> None:
    text = re.sub(r"^    ", "", RECIPES[task], flags=re.MULTILINE)
    recipe = yaml.safe_load(text)
    path = (tmp_path / "recipes" / recipe["model"]["path"]).resolve()
    path.parent.mkdir()
    model_for(task, path)
    (tmp_path / "recipes").mkdir()
    (tmp_path / "recipes" / "mine.yaml").write_text(text)
    words = "The light is on. A boat lies in the harbour, and nobody is there to see it. " * 4
    (tmp_path / "recipes" / "texts.txt").write_text("\n".join(words[start:] for start in range(40)) + "\n")
    pixels = np.random.default_rng(0).standard_normal((20, 3, 48, 48)).astype(np.float32)
    np.savez(tmp_path / "recipes" / "images.npz", pixel_values=pixels)
    ovrun("optimize", tmp_path / "recipes" / "mine.yaml")
    version = Version(tmp_path / "outputs" / "mine" / "1")
    assert version.manifest["model"]["task"] == (None if task == "arrays" else task)
    assert set(Model.of(version.path).parts) <= set(family_of(task).parts)


def test_each_task_has_a_recipe_of_few_lines() -> None:
    table = PAGE.partition("\n## ")[0]
    listed = {name.split("`")[1] for name in re.findall(r"^\| (`\S+`)", table, re.MULTILINE)} - {"model.task"}
    assert listed == RECIPES.keys()
    assert max(text.count("\n") for text in RECIPES.values()) <= 10
