"""Accuracy control by a metric of rows: an autoencoder for anomalies whose ROC AUC falls by plain quantization."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import openvino as ov
import pytest
from openvino import opset13 as opset

from runner.base.figures import megabytes
from tests.conftest import Ovrun
from tests.outputs import manifest_of, stage_result

SIZE, CODE, ROWS = 24, 6, 200
RECIPE = """
model: {source: openvino, path: ae.xml}
datasets:
  calibration: {source: file, path: calibration.npz, inputs: values}
  control: {source: file, path: control.npz, inputs: values, columns: {label: labels, target: clean}}
  evaluation: {source: file, path: evaluation.npz, inputs: values, columns: {label: labels, target: clean}}
compression: {algorithm: quantization, dataset: calibration%s}
accuracy: {checks: [{metric: reconstruction_roc_auc, dataset: evaluation, max_drop: 0.03}]}
"""
CONTROL = ", accuracy_control: {metric: reconstruction_roc_auc, dataset: control, max_drop: 0.02}"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A network that restores what lies in a plane, and data with a loud hum that it leaves out.

    Eight bits for the hum leave too few for the small distances from the plane that anomalies have.
    """
    rng = np.random.default_rng(0)
    start = rng.normal(size=(SIZE, CODE))
    start[0] = 0
    plane = np.linalg.qr(start)[0].astype(np.float32)
    network(tmp_path / "ae.xml", plane, rng)
    for name in ("calibration", "control", "evaluation"):
        far = rng.random(ROWS) < 0.3
        clean = rng.normal(size=(ROWS, CODE)) @ plane.T + rng.normal(0, 0.02, (ROWS, SIZE))
        clean[far] += rng.normal(0, 0.035, (far.sum(), SIZE))
        values = clean.copy()
        values[:, 0] += rng.normal(0, 15, ROWS)
        arrays = {"values": values.astype(np.float32), "clean": clean.astype(np.float32)}
        np.savez(tmp_path / f"{name}.npz", labels=far.astype(np.int64), **arrays)
    for recipe, control in (("plain", ""), ("controlled", CONTROL)):
        (tmp_path / f"{recipe}.yaml").write_text(RECIPE % control)
    return tmp_path


def network(path: Path, plane: np.ndarray, rng: np.random.Generator) -> None:  # type: ignore[type-arg]
    """Into the plane and back, and beside it two layers whose quantization costs next to nothing."""
    values = opset.parameter([-1, SIZE], np.float32, name="values")
    values.output(0).set_names({"values"})

    def layer(given: ov.Node, weights: np.ndarray) -> ov.Node:  # type: ignore[type-arg]
        return opset.matmul(given, opset.constant(np.ascontiguousarray(weights, np.float32)), False, False)

    code = opset.add(layer(values, plane), opset.constant(np.full((1, CODE), 1e-3, np.float32)))
    back = opset.add(layer(code, plane.T), opset.constant(np.full((1, SIZE), 1e-3, np.float32)))
    side = layer(opset.relu(layer(opset.relu(values), rng.normal(size=(SIZE, 16)))), rng.normal(0, 1e-4, (16, SIZE)))
    restored = opset.add(back, side)
    restored.output(0).set_names({"restored"})
    ov.save_model(ov.Model([opset.result(restored)], [values]), path, compress_to_fp16=False)


def test_plain_quantization_is_rejected_and_with_control_it_is_accepted(ovrun: Ovrun, project: Path) -> None:
    told = ovrun("optimize", "plain.yaml", cwd=project, code=3).stderr
    assert "plain misses reconstruction_roc_auc on evaluation: max_drop is 0.03, measured 0." in told
    ovrun("optimize", "controlled.yaml", cwd=project)
    version = project / "outputs" / "controlled" / "1"
    (check,) = manifest_of(version)["checks"]
    assert check["reference_value"] - check["value"] <= 0.03 and check["reference_value"] > 0.95
    found = stage_result(version, "quantize")
    control = found["accuracy_control"]
    assert found["quantizers"] > 0 and control["reverted"] and control["held"] and not control["stopped"]
    assert set(control["bytes"]) == set(control["reverted"])
    assert max(control["bytes"].values()) == SIZE * CODE, "16 bits a weight in place of 8"
    told, card = ovrun("show", "controlled", cwd=project).stdout, (version / "README.md").read_text()
    for name in control["reverted"]:
        cost = megabytes(control["bytes"][name])
        assert f"{name} +{cost}" in told and f"| {name} | {cost} |" in card


def test_the_search_ends_when_its_time_is_up_with_the_best_so_far(ovrun: Ovrun, project: Path) -> None:
    text = (project / "controlled.yaml").read_text().replace("max_drop: 0.02}", "max_drop: 0.02, minutes: 1.0e-9}")
    (project / "short.yaml").write_text(text)
    told = ovrun("optimize", "short.yaml", cwd=project, code=3)
    assert "short misses reconstruction_roc_auc on evaluation" in told.stderr, "the checks of the recipe decide"
    ovrun("optimize", "short.yaml", "~accuracy", cwd=project)
    words = "minutes ended the search before max_drop 0.02 (absolute) was kept: this is the best model so far"
    assert words in " ".join(ovrun("show", "short", cwd=project).stdout.split())
    version = project / "outputs" / "short" / "1"
    control = stage_result(version, "quantize")["accuracy_control"]
    assert control["stopped"] == "minutes" and not control["held"] and control["reverted"] == []
    assert control["drop"] > 0.02 and control["evaluated_items"] <= 2 * ROWS + 1
    card = " ".join((version / "README.md").read_text().split())
    assert "ended by `minutes` **before max_drop was kept**, with the best model so far." in card
