"""Artifacts of real runs: what they tell of their maker; that they run again after a move, and can be reproduced."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from runner import embedded
from runner.artifact.versions import load_manifest
from runner.errors import StageError
from runner.run import rebuild
from tests.conftest import Ovrun

TELLTALE = "zq-telltale"
TOKEN = "hf_zqsecretzqsecret"

RECIPE = """
name: told
model: {source: local, path: ../models/cnn, task: image-classification}
datasets:
  calibration:
    {source: file, path: ../data/digits-calibration.npz, inputs: images, preprocess: {layout: NHWC->NCHW}}
  evaluation:
    source: file
    path: %s/data/digits-evaluation.npz
    inputs: images
    labels: labels
    preprocess: {layout: NHWC->NCHW}
compression: {algorithm: quantization, dataset: calibration, subset_size: 10}
accuracy: {checks: [{metric: accuracy, dataset: evaluation, min: 0}]}
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A project in a folder with a telltale name, whose model tells of another."""
    folder = tmp_path_factory.mktemp(TELLTALE) / "project"
    shutil.copytree(embedded.MODELS["digits-cnn"].path, folder / "models" / "cnn")
    config = folder / "models" / "cnn" / "config.json"
    told = json.loads(config.read_text()) | {
        "_name_or_path": f"/home/{TELLTALE}/runs/cnn",
        "log_dir": "~me/zq-telltale/x",
    }
    config.write_text(json.dumps(told))
    (folder / "data").mkdir()
    for name in ("digits-calibration", "digits-evaluation"):
        shutil.copy(embedded.DATASETS[name], folder / "data")
    (folder / "recipes").mkdir()
    (folder / "recipes" / "told.yaml").write_text(RECIPE % folder)
    yield folder


@pytest.fixture(scope="module")
def version(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The version that a run there publishes, by a person with a token and a home of the telltale name."""
    import os

    from tests.processes import command

    home = project.parent / "home"
    home.mkdir()
    words = command("optimize", "told", f"datasets.calibration.path={project}/data/digits-calibration.npz", "seed=7")
    env = {**os.environ, "HOME": str(home), "HF_TOKEN": TOKEN, "HF_HUB_CACHE": str(home / "hub")}
    done = subprocess.run([*words, "--quiet"], cwd=project, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return project / done.stdout.strip()


def test_no_published_file_tells_of_its_maker(project: Path, version: Path) -> None:
    assert (version / "openvino_model.xml").is_file()
    for path in version.rglob("*"):
        for secret in (TELLTALE, TOKEN, str(Path.home())):
            assert secret.encode() not in path.name.encode() + path.read_bytes(), f"{path.name} tells {secret}"
    for path in (project / "outputs").rglob("*"):  # logs and the store may tell paths, and nobody's token
        assert not path.is_file() or TOKEN.encode() not in path.read_bytes(), path
    manifest = load_manifest(version)
    assert manifest["origins"]["seed"] == "command line" and manifest["seed"] == 7
    assert manifest["recipe"]["model"]["path"] == "../../../models/cnn"


def test_a_moved_project_runs_again_and_is_reproduced(
    version: Path, project: Path, ovrun: Ovrun, tmp_path: Path
) -> None:
    moved = tmp_path / "moved"
    shutil.copytree(project, moved, symlinks=True, ignore=shutil.ignore_patterns(".store"))
    folder = moved / "outputs" / "told" / "1"
    ovrun("verify", folder)
    answer = json.loads(ovrun("optimize", folder / "recipe.yaml", "--outputs", moved / "outputs", "--json").stdout)
    assert (answer["status"], answer["version"]) == ("up to date", 1)
    again = json.loads(ovrun("reproduce", folder, "--into", tmp_path / "again", "--json").stdout)
    assert (again["status"], again["differences"]) == ("same", [])
    assert load_manifest(Path(again["made"]))["files"].keys() == load_manifest(folder)["files"].keys()


def test_a_carried_version_names_the_input_that_differs(
    version: Path, project: Path, ovrun: Ovrun, tmp_path: Path
) -> None:
    carried = shutil.copytree(version, tmp_path / "carried")
    model = ("--model", project / "models" / "cnn")
    wrong = tmp_path / "digits-calibration.npz"
    with np.load(project / "data" / "digits-calibration.npz") as arrays:
        np.savez(wrong, **{name: array[::-1] for name, array in arrays.items()})
    data = ("--data", f"evaluation={project}/data/digits-evaluation.npz", "--data", f"calibration={wrong}")
    answer = json.loads(ovrun("reproduce", carried, *model, *data, "--json", code=4).stdout)
    assert answer["status"] == "inputs differ" and answer["made"] is None
    assert (answer["first"]["kind"], answer["first"]["name"]) == ("dataset", "calibration")
    told = ovrun("reproduce", carried, *model, code=4).stderr
    assert "dataset evaluation is not at" in told


def test_paths_in_an_ir_are_forgotten(tmp_path: Path) -> None:
    import openvino as ov
    from openvino import opset13 as op

    from runner.export.private import forget_paths

    port = op.parameter([1, 4], np.float32, name="x")
    model = ov.Model([op.multiply(port, op.constant(np.float32([1, 2, 3, 4])))], [port], f"/home/{TELLTALE}/net.onnx")
    model.set_rt_info(f"/home/{TELLTALE}/m.onnx", ["conversion_parameters", "input_model"])
    model.set_rt_info(rf"C:\Users\{TELLTALE}\m.onnx", ["conversion_parameters", "windows"])
    model.set_rt_info("and/or", ["conversion_parameters", "kept"])
    ov.save_model(model, tmp_path / "openvino_model.xml")
    weights = (tmp_path / "openvino_model.bin").read_bytes()
    forget_paths(tmp_path)
    assert TELLTALE not in (tmp_path / "openvino_model.xml").read_text()
    read = ov.Core().read_model(tmp_path / "openvino_model.xml")
    parameters = read.get_rt_info("conversion_parameters").value
    assert {key: str(value.value if hasattr(value, "value") else value) for key, value in parameters.items()} == {
        "input_model": "m.onnx",
        "windows": "m.onnx",
        "kept": "and/or",
    }
    assert (tmp_path / "openvino_model.bin").read_bytes() == weights and len(read.inputs) == 1


def test_an_environment_holds_this_source(tmp_path: Path) -> None:
    python = rebuild.build(tmp_path / "e", {"libraries": {}, "environment": {}}, tmp_path / "log")
    code = "import runner, sys; from runner.base import resources; print(runner.__file__, resources.schemas_dir())"
    done = subprocess.run([python, "-P", "-c", code], capture_output=True, text=True, check=True)
    assert all(path.startswith(str(tmp_path)) for path in done.stdout.split())


def test_what_can_not_be_installed_is_told(tmp_path: Path) -> None:
    program = "import sys; print('Collecting x'); print('ERROR: no matching distribution'); print('end'); sys.exit(1)"
    with pytest.raises(StageError, match="pip can't: ERROR: no matching distribution") as caught:
        rebuild._run([sys.executable, "-c", program], tmp_path / "log", "pip can't")
    assert caught.value.log == tmp_path / "log" and "Collecting x" in (tmp_path / "log").read_text()
