"""Checks that compare with another model than the converted one: a published version, or an IR of somebody's own."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import Ovrun
from tests.foreign import onnx_file, tflite_file
from tests.outputs import manifest_of

RECIPE = """
name: against
defaults: [{model: digits-cnn}, {data: digits}, _self_]
accuracy:
  reference: %s
  checks:
    - {metric: accuracy, dataset: digits_evaluation, max_drop: 0.01}
    - {metric: relative_l2, dataset: digits_evaluation, max: 0.5}
"""


@pytest.fixture
def recipe(tmp_path: Path) -> Callable[[str], Path]:
    def write(reference: str) -> Path:
        path = tmp_path / "against.yaml"
        path.write_text(RECIPE % reference)
        return path

    return write


def test_a_published_version_is_the_reference(
    ovrun: Ovrun, published: Callable[..., Path], recipe: Callable[[str], Path]
) -> None:
    int8 = published("digits-int8")
    reference = f"{int8.parent.name}/{int8.name}"
    done = ovrun("optimize", recipe(reference), "--outputs", int8.parent.parent, "--quiet")
    version = Path(done.stdout.strip())
    accuracy, distance = manifest_of(version)["checks"]
    (own,) = manifest_of(int8)["checks"]
    assert accuracy["reference_value"] == own["value"]
    assert 1e-4 < distance["value"] < 0.5, "the unquantized model differs from the quantized one"
    again = ovrun("optimize", recipe(f"{{path: {int8}}}"), "--outputs", int8.parent.parent)
    assert "Up to date" in again.stdout, "the same model by its path is the same reference"
    other = ovrun("optimize", recipe(f"{{path: {int8}}}"), "name=by-path", "--outputs", int8.parent.parent, "--quiet")
    told = manifest_of(Path(other.stdout.strip()))
    assert told["recipe"]["accuracy"]["reference"] == {"path": f"../../{reference}"}
    assert str(int8) not in json.dumps(told)


@pytest.mark.parametrize(
    ("reference", "told"),
    [
        ("digits-int8/3", "there is no published version digits-int8/3"),
        ("{path: nowhere}", "there is no model at"),
        ("convertd", '"convertd" doesn\'t fit'),
    ],
)
def test_a_reference_that_is_not_there_is_told_at_once(
    reference: str, told: str, ovrun: Ovrun, recipe: Callable[[str], Path]
) -> None:
    done = ovrun("plan", recipe(reference), code=2)
    assert told in done.stderr
    assert "against.yaml:5:" in done.stderr


TEXT = """
name: of-text
defaults: [{model: dialogpt-mini}, {data: dialogue}, {compression: int8}, _self_]
datasets: {dialogue_eval: {limit: 4}}
accuracy:
  reference: original
  checks:
    - {metric: kl_divergence, dataset: dialogue_eval, max: 0.2, context_length: 64}
    - {metric: relative_l2, dataset: dialogue_eval, max: 0.2}
"""

WRITES = "    - {metric: exact_match, dataset: dialogue_questions, min: 0.1}\n"


def test_the_original_is_the_reference_of_a_decoder(
    ovrun: Ovrun, published: Callable[..., Path], tmp_path: Path
) -> None:
    """PyTorch computes what OpenVINO does in f32; in pieces, of which each goes on from the one before."""
    outputs, path = published("dialogpt-mini-int4").parent.parent, tmp_path / "of-text.yaml"
    path.write_text(TEXT)
    for settings, least, most in ((["compression=null"], 0.0, 1e-6), ([], 1e-5, 0.2)):
        version = Path(ovrun("optimize", path, *settings, "--outputs", outputs, "--quiet").stdout.strip())
        checks = manifest_of(version)["checks"]
        assert all(least <= check["value"] < most for check in checks), checks
        assert {stage["stage"] for stage in manifest_of(version)["stages"]} >= {"original", "reference"}


@pytest.mark.newest
def test_the_original_is_the_reference_of_images(
    ovrun: Ovrun, published: Callable[..., Path], recipe: Callable[[str], Path]
) -> None:
    outputs = published("digits-int8").parent.parent
    version = Path(ovrun("optimize", recipe("original"), "--outputs", outputs, "--quiet").stdout.strip())
    accuracy, distance = manifest_of(version)["checks"]
    assert accuracy["value"] == accuracy["reference_value"]
    assert distance["value"] < 5e-4, "weights of 16 bits"


@pytest.mark.parametrize(("library", "suffix"), [("onnxruntime", "onnx"), ("ai_edge_litert", "tflite")])
def test_the_original_is_a_file(library: str, suffix: str, ovrun: Ovrun, tmp_path: Path) -> None:
    pytest.importorskip(library)
    {"onnx": onnx_file, "tflite": tflite_file}[suffix](tmp_path / f"net.{suffix}")
    np.savez(tmp_path / "rows.npz", x=np.random.default_rng(0).random((6, 16), np.float32))
    (tmp_path / "mine.yaml").write_text(f"""
model: {{source: {suffix}, path: net.{suffix}}}
datasets: {{rows: {{source: file, path: rows.npz, inputs: x}}}}
accuracy: {{reference: original, checks: [{{metric: relative_l2, dataset: rows, max: 0.01}}]}}
""")
    ovrun("optimize", "mine.yaml")
    (check,) = manifest_of(tmp_path / "outputs" / "mine" / "1")["checks"]
    assert check["value"] < 1e-3


def test_an_original_that_nothing_runs_is_refused(ovrun: Ovrun, published: Callable[..., Path], tmp_path: Path) -> None:
    model = published("digits-int8") / "openvino_model.xml"
    recipe = tmp_path / "again.yaml"
    text = (RECIPE % "original").replace("{model: digits-cnn}, ", "")
    recipe.write_text(f"{text}model: {{source: openvino, path: {model}}}\n")
    assert "nothing is known that runs the original of source openvino" in ovrun("plan", recipe, code=2).stderr


def test_an_original_is_not_asked_to_write(ovrun: Ovrun, tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(TEXT + WRITES)
    told = ovrun("plan", "mine.yaml", code=2).stderr
    assert "mine.yaml:6:14: accuracy.reference: the original writes nothing here, as exact_match needs it" in told
