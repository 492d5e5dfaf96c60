"""A model or a dataset that changes between the plan and the end of the stage that reads it leaves no entry behind."""

from __future__ import annotations

import dataclasses
import os
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from runner import data, sources
from runner.base import files as fs
from runner.embedded import DATASETS, MODELS
from runner.engine import inputs
from runner.errors import SourceError
from runner.plan.types import Stage
from runner.recipe import load_recipe
from runner.recipe.types import Dataset, ModelSource
from runner.run.lifecycle import optimize
from runner.run.outcome import Outcome
from tests import cheap

RECIPE = """\
description: its files change
model: {source: local, path: model, task: image-classification}
datasets:
  given:
    source: file
    path: given.npz
    inputs: images
    labels: labels
    preprocess: {scale: 0.0625, layout: NHWC->NCHW}
compression: {algorithm: quantization, dataset: given, subset_size: 10}
accuracy:
  checks: [{metric: accuracy, dataset: given, max_drop: 0.5}]
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A recipe with a model and data of its own, as old as files are that somebody keeps."""
    shutil.copytree(MODELS["digits-cnn"].path, tmp_path / "model")
    with np.load(DATASETS["digits-evaluation"]) as arrays:
        held = {name: arrays[name][:60] for name in arrays.files}
    np.savez(tmp_path / "given.npz", **held)
    np.savez(tmp_path / "other.npz", **{name: rows[::-1] for name, rows in held.items()})
    (tmp_path / "changing.yaml").write_text(RECIPE)
    for path in tmp_path.rglob("*"):
        os.utime(path, (1_700_000_000.5, 1_700_000_000.5))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def swap(path: Path, other: Path) -> None:
    """Put another file in the place of one."""
    shutil.copyfile(other, path)


def swap_weights(project: Path) -> None:
    """Change a byte of the weights, and let the file look as old as it was."""
    path = project / "model" / "model.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    os.utime(path, (1_700_000_000.5, 1_700_000_000.5))


def swap_and_swap_back(path: Path) -> None:
    """Another file for a moment, then the very same one as before."""
    aside = path.with_name("aside")
    path.rename(aside)
    path.write_bytes(b"something else")
    aside.replace(path)


def run(project: Path, observer: Any, outputs: str = "outputs") -> Outcome:
    (outcome,) = optimize(load_recipe("changing.yaml"), project / outputs, observer).points
    return outcome


def stored(project: Path) -> set[str]:
    """The names of the stages that have an entry."""
    entries = (project / "outputs" / ".store" / "entries").glob("*/*/entry.json")
    return {fs.read_json(path)["stage"] for path in entries}


MOMENTS = [
    pytest.param("planned", "convert", "weights", id="weights-after-the-plan"),
    pytest.param("progress", "convert", "weights", id="weights-during-the-conversion"),
    pytest.param("progress", "convert", "back", id="weights-for-a-moment-during-the-conversion"),
    pytest.param("progress", "convert", "gone", id="weights-removed-during-the-conversion"),
    pytest.param("planned", "quantize", "data", id="data-after-the-plan"),
    pytest.param("started", "quantize", "data", id="data-before-the-calibration"),
    pytest.param("started", "evaluate", "data", id="data-before-the-evaluation"),
]


@pytest.mark.parametrize(("moment", "stage", "what"), MOMENTS)
def test_what_changes_is_an_error_and_no_entry(moment: str, stage: str, what: str, project: Path) -> None:
    acts: dict[str, Callable[[], object]] = {
        "weights": lambda: swap_weights(project),
        "back": lambda: swap_and_swap_back(project / "model" / "model.safetensors"),
        "gone": (project / "model" / "model.safetensors").unlink,
        "data": lambda: swap(project / "given.npz", project / "other.npz"),
    }
    observer = cheap.Acting(moment, stage, acts[what])
    with pytest.raises(SourceError) as caught:
        run(project, observer)
    assert observer.acted and caught.value.exit_code == 4
    named = "given.npz" if what == "data" else "model"
    assert named in caught.value.message
    assert what == "gone" or ("changed" in caught.value.message and "Run again" in str(caught.value.hint))
    assert stage not in stored(project)
    assert not list((project / "outputs" / ".store" / "tmp").iterdir())
    if what != "gone":
        assert run(project, cheap.Acting()).status == "published"


def test_an_entry_of_the_store_that_changes_while_it_is_read_is_made_again(project: Path) -> None:
    def damage() -> None:
        (entry,) = (project / "outputs" / ".store" / "entries").glob("*/*/files/openvino_model.bin")
        entry.chmod(0o644)
        entry.write_bytes(b"x" + entry.read_bytes()[1:])

    disturbed = run(project, cheap.Acting("started", "quantize", damage))
    undisturbed = run(project, cheap.Acting(), "elsewhere")
    weights = [fs.sha256_file(outcome.path / "openvino_model.bin") for outcome in (disturbed, undisturbed)]
    assert disturbed.status == "published" and weights[0] == weights[1]


def test_a_link_or_a_mode_that_changes_is_no_other_file(project: Path) -> None:
    def touch() -> None:
        path = project / "model" / "model.safetensors"
        (project / "backup").hardlink_to(path)
        (project / "given.npz").chmod(0o600)

    assert run(project, cheap.Acting("progress", "convert", touch)).status == "published"


def reading(project: Path, **params: Any) -> Stage:
    """A cheap stage whose key says that it reads the model and the dataset of the project."""
    dataset = Dataset("given", "file", project / "given.npz", "npz", inputs={"": "images"})
    model = ModelSource("local", path=project / "model", task="image-classification")
    digests = {"source": sources.locate(model, cheap.store_in(project).digest_memory).digest}
    stage = cheap.stage(1, **params)
    return dataclasses.replace(
        stage,
        document={**stage.document, "files": digests, "datasets": {"data": data.digest(dataset)}},
        files={"source": project / "model"},
        models={"source": model},
        datasets={"data": dataset},
    )


@pytest.mark.parametrize("back", [False, True])
def test_an_image_that_a_dataset_names_is_held_against_the_key(back: bool, project: Path) -> None:
    image, rows = project / "a.png", project / "seen.jsonl"
    Image.new("L", (6, 4)).save(image)
    rows.write_text('{"image": "a.png", "text": "a boat"}')
    dataset = Dataset("seen", "file", rows, "jsonl", columns={"text": "text", "image": "image"})
    stage, store = cheap.stage(1), cheap.store_in(project)
    document = {**stage.document, "datasets": {"data": data.digest(dataset)}}
    stage = dataclasses.replace(stage, document=document, datasets={"data": dataset})
    before = inputs.look(stage, store)
    inputs.hold(stage, store, before)
    if back:
        swap_and_swap_back(image)
    else:
        Image.new("L", (6, 4), 7).save(image)
    with pytest.raises(SourceError, match=r"a\.png changed while"):
        inputs.hold(stage, store, before)


@pytest.mark.parametrize("what", ["weights", "data for a moment", "nothing"])
def test_workers_hold_their_inputs_against_the_key(what: str, project: Path) -> None:
    counted, go_on = project / "count", project / "go on"

    def act() -> None:
        while not counted.exists():
            time.sleep(0.02)
        if what == "weights":
            swap_weights(project)
        elif what != "nothing":
            swap_and_swap_back(project / "given.npz")
        go_on.touch()

    acting = threading.Thread(target=act, daemon=True)
    acting.start()
    stage = reading(project, counted=str(counted), held_until=str(go_on))
    (error,) = cheap.execute([stage], project, 1).values()
    if what == "nothing":
        assert error is None
    else:
        assert isinstance(error, SourceError)
        assert ("model.safetensors" if what == "weights" else "given.npz") in error.message
        assert not cheap.digests(project)
