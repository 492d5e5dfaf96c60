"""What `ovrun reproduce` compares, finds and installs; whole runs of it are in the integration tests."""

from __future__ import annotations

import copy
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from runner.artifact import found
from runner.artifact.versions import load_manifest
from runner.base import hardware
from runner.errors import SourceError, StageError
from runner.run import rebuild, reproduce
from tests.artifacts import Project
from tests.conftest import Ovrun

Manifest = dict[str, Any]


@pytest.fixture
def manifest(tmp_path: Path) -> Manifest:
    read = load_manifest(Project(tmp_path, value=0.05).publish().path)
    return read | {"hardware": hardware.describe()}


def differences(then: Manifest, now: Manifest) -> list[str]:
    found = [*reproduce._surroundings(then), *reproduce._stages(then, now), *reproduce._results(then, now)]
    return [f"{one.kind} {one.name}" for one in found]


def change(manifest: Manifest, *path: Any, value: Any) -> None:
    part: Any = manifest
    for key in path[:-1]:
        part = part[key]
    part[path[-1]] = value


@pytest.mark.parametrize(
    ("path", "value", "told"),
    [
        (("ovrun",), "0.0.1", "ovrun itself"),
        (("libraries", "nncf"), "3.3.9", "library nncf"),
        (("environment", "jinja2"), "3.0.0", "library jinja2"),
        (("hardware", "python"), "3.11.0", "python itself"),
        (
            ("hardware", "cpu_flags"),
            ["amx_of_tomorrow", *hardware.describe()["cpu_flags"]],
            "cpu feature amx_of_tomorrow",
        ),
        (("stages", 0, "document", "revision"), 7, "stage convert, its revision"),
        (("stages", 0, "output"), "0" * 64, "stage convert"),
        (("files", "openvino_model.bin", "sha256"), "0" * 64, "file openvino_model.bin"),
        (("checks", 0, "values", "kl_divergence"), 0.2, "check kl_divergence on eval"),
    ],
)
def test_each_difference_is_named(manifest: Manifest, path: tuple[Any, ...], value: Any, told: str) -> None:
    then = copy.deepcopy(manifest)
    assert differences(then, manifest) == []
    change(then, *path, value=value)
    assert differences(then, manifest) == [told]


def test_times_and_the_card_do_not_count(manifest: Manifest) -> None:
    then = copy.deepcopy(manifest)
    for key, value in (("seconds", 99.0), ("peak_memory", 1), ("created", "then")):
        change(then, "stages", 0, key, value=value)
    change(then, "files", "README.md", "sha256", value="0" * 64)
    assert differences(then, manifest) == []


# --- where data are


def test_data_are_found_by_their_digest(tmp_path: Path) -> None:
    project = Project(tmp_path / "p")
    folder = project.publish().path
    manifest = load_manifest(folder)
    (tmp_path / "p" / "data").mkdir()
    original = tmp_path / "p" / "data" / "eval.jsonl"
    original.write_text('{"text": "a"}\n')
    section = manifest["recipe"]["datasets"]["eval"]
    from runner import data
    from runner.recipe.build import dataset

    manifest["datasets"]["eval"]["sha256"] = data.digest(dataset("eval", {**section, "path": str(original)}))
    assert found.datasets(manifest, folder, {})["eval"]["path"] == str(original)
    carried = shutil.copytree(folder, tmp_path / "elsewhere" / "deep" / "carried")
    with pytest.raises(SourceError, match="dataset eval is not at") as caught:
        found.datasets(manifest, carried, {})
    assert "--data eval=PATH" in str(caught.value.hint)
    (carried.parent / "eval.jsonl").write_text('{"text": "another"}\n')
    (tmp_path / "elsewhere" / "data").mkdir()
    shutil.copy(original, tmp_path / "elsewhere" / "data" / "eval.jsonl")
    near = found.datasets(manifest, carried, {})["eval"]["path"]
    assert near == str(tmp_path / "elsewhere" / "data" / "eval.jsonl")
    assert found.datasets(manifest, carried, {"eval": original})["eval"]["path"] == str(original)


# --- the environment


def test_requirements_are_exact_and_leave_local_suffixes_to_the_index(manifest: Manifest) -> None:
    manifest["libraries"]["torch"] = manifest["environment"]["torch"] = "2.13.0+cpu"
    manifest["libraries"]["sacrebleu"] = "absent"
    lines = rebuild.requirements(manifest)
    assert "torch==2.13.0" in lines and not any(line.startswith(("sacrebleu", "ovrun")) for line in lines)
    assert {"nncf", "openvino", "jsonschema", "rich"} <= {line.partition("==")[0] for line in lines}


@pytest.mark.parametrize(
    ("name", "version"), [("-r/etc/passwd", "1"), ("x @ https://h/x.whl", "1"), ("x", "1 --hash=a"), ("x\ny", "1")]
)
def test_a_manifest_can_not_make_pip_do_something_else(manifest: Manifest, name: str, version: str) -> None:
    manifest["environment"][name] = version
    with pytest.raises(StageError, match="which is no such name"):
        rebuild.requirements(manifest)


# --- the command


WRONG: dict[str, tuple[Callable[[Path], Any], tuple[str, ...], int, str]] = {
    "a changed manifest": (
        lambda folder: _edit(folder, '"description": "A', '"description": "B'),
        (),
        4,
        "was changed: it is not what its own digest says",
    ),
    "no manifest": (lambda folder: (folder / "manifest.json").unlink(), (), 2, "no published version"),
    "no model": (lambda folder: None, (), 4, "the model is not at ../../../models/m"),
    "a dataset of another name": (lambda folder: None, ("--data", "evil=x"), 2, "its datasets are eval"),
    "a dataset without a path": (lambda folder: None, ("--data", "eval"), 2, "equals sign"),
    "a full folder": (lambda folder: None, ("--into", "full"), 2, "not an empty folder"),
}


def _edit(folder: Path, before: str, after: str) -> None:
    path = folder / "manifest.json"
    path.chmod(0o644)
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after))


@pytest.mark.parametrize("case", WRONG)
def test_what_can_not_be_made_again_is_told(tmp_path: Path, ovrun: Ovrun, case: str) -> None:
    damage, words, code, told = WRONG[case]
    project = Project(tmp_path / "p")
    damage(project.publish().path)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").write_text("")
    name = "p/outputs/r/1" if case != "no manifest" else "r/1"
    assert told in ovrun("reproduce", name, *words, code=code).stderr
