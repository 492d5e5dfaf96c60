"""A metric of the user's own file: its values, its key, what becomes of mistakes, and whose word it needs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from runner.embedded import DATASETS
from runner.errors import SourceError
from runner.export.user_function import UserFunction
from runner.metrics.own import Scoring
from runner.registry.gates import Better
from runner.registry.own import Own
from tests.conftest import Ovrun
from tests.outputs import manifest_of

RECIPE = """
defaults: [{model: digits-cnn}, {data: digits}, _self_]
conversion: {check: false}
compression: {algorithm: weight_compression, mode: int8_asym}
accuracy:
  checks:
    - {metric: {path: my_metric.py, function: FUNCTION, better: higher}, dataset: digits_evaluation, max_drop: 0.5}
    - {metric: accuracy, dataset: digits_evaluation, max_drop: 0.5}
"""
FILE = '''
import numpy as np


def share(predictions, rows):
    """Share of images that are read right, with a number for each."""
    return right(predictions, rows)


def right(predictions, rows):
    labels = [int(row["label"]) for row in rows]
    return (np.argmax(predictions, axis=1) == labels).astype(float)


def margin(predictions, rows, *, scale=1.0):
    """Median distance of the best score from the second: a number that is no mean."""
    best = np.sort(predictions, axis=1)
    rows = scale * (best[:, -1] - best[:, -2])
    return {"value": float(np.median(rows)), "rows": rows}


def by_running(model, rows):
    images = np.stack([row[""] for row in rows])
    found = np.concatenate([model(image[None])[0] for image in images])
    return float(right(found, rows).mean())


def fails(predictions, rows):
    return helper(rows)


def helper(rows):
    return rows[3]["nothing"]


def not_finite(predictions, rows):
    return np.where(np.arange(len(rows)) == 6, np.nan, 1.0)


def short(predictions, rows):
    return np.ones(len(rows) - 1)


def words(predictions, rows):
    return ["good"] * len(rows)


def nothing(predictions, rows):
    pass


def infinite(predictions, rows):
    return np.inf


def other(predictions, rows):
    return {"score": 1.0}


def ragged(predictions, rows):
    return [[1.0], [1.0, 2.0]]


def ends(predictions, rows):
    raise SystemExit(3)


def reads(predictions, rows):
    return float(open("/work.txt").read())
'''


def write(folder: Path, function: str = "share", more: str = "") -> Path:
    (folder / "my_metric.py").write_text(FILE)
    (folder / "own.yaml").write_text(RECIPE.replace("FUNCTION", function) + more)
    return folder / "own.yaml"


def outputs_of(model: Path) -> Any:
    """What a published digit classifier gives for the held-out images, and their labels."""
    import openvino as ov

    data = np.load(DATASETS["digits-evaluation"])
    images = np.moveaxis(data["images"].astype(np.float32) / 16, -1, 1)
    run = ov.compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32", "DYNAMIC_QUANTIZATION_GROUP_SIZE": 0})
    return np.concatenate([run(image[None])[0] for image in images]), data["labels"].reshape(-1)


def test_values_are_those_of_numpy_and_rows_have_intervals(ovrun: Ovrun, tmp_path: Path) -> None:
    write(tmp_path, "share")
    more = ", params: {scale: 2}, name: certainty"
    text = (tmp_path / "own.yaml").read_text()
    line = (
        "    - {metric: {path: my_metric.py, function: FUNCTION, better: higher}, dataset: digits_evaluation, min: 0}\n"
    )
    text += line.replace("FUNCTION", "margin").replace("better: higher", f"better: higher{more}")
    text += line.replace("FUNCTION", "by_running").replace("better: higher", "better: higher, takes: model")
    (tmp_path / "own.yaml").write_text(text)
    ovrun("optimize", "own.yaml", "--allow-code")
    version = tmp_path / "outputs" / "own" / "1"
    manifest = manifest_of(version)
    share, accuracy, certainty, by_running = manifest["checks"]
    scores, labels = outputs_of(version / "openvino_model.xml")
    best = np.sort(scores, axis=1)
    assert share["value"] == np.mean(scores.argmax(1) == labels) == by_running["value"]
    assert certainty["value"] == pytest.approx(2 * np.median(best[:, -1] - best[:, -2]), rel=1e-5)
    for kind in ("intervals", "differences", "flipped"):  # a share of rows is judged as ours is
        own, ours = (json.loads(json.dumps(one[kind]).replace("accuracy", "share")) for one in (share, accuracy))
        assert own == ours and (kind == "flipped" or own)
    assert certainty["intervals"] == {} and certainty["flipped"]["worse"] > 0 and by_running["flipped"] is None
    assert by_running["reference_value"] == accuracy["reference_value"]
    assert [one["metric"] for one in manifest["checks"]] == ["share", "accuracy", "certainty", "by_running"]
    assert share["better"] == "higher" and share["protocol"]["function"] == "my_metric.py:share"
    stage = next(one for one in manifest["stages"] if one["label"] == "evaluate share on digits_evaluation")
    assert "numpy" in stage["document"]["versions"] and len(stage["document"]["files"]["metric"]) == 64
    assert manifest["recipe"]["accuracy"]["checks"][0]["metric"]["path"] == "../../../my_metric.py"
    assert "share" in (version / "README.md").read_text()
    assert "certainty" in ovrun("report", "own").stdout and "certainty" in ovrun("compare", "own/1", "own/1").stdout

    assert "Up to date" in ovrun("optimize", "own.yaml", "--allow-code").stdout
    (tmp_path / "my_metric.py").write_text(FILE + "\n# changed\n")
    plan = json.loads(ovrun("plan", "own.yaml", "--allow-code", "--json").stdout)
    todo = [stage["label"] for stage in plan["stages"] if stage["state"] == "to do"]
    assert todo == [f"evaluate {name} on digits_evaluation" for name in ("share", "certainty", "by_running")]
    assert "--allow-code on the command line" in ovrun("reproduce", "own/1", code=2).stderr
    (tmp_path / "my_metric.py").write_text(FILE)
    assert "the same" in ovrun("reproduce", "own/1", "--allow-code").stdout


@pytest.mark.parametrize(
    ("function", "told"),
    [
        ("fails", "{0}:{helper}: fails() fails: KeyError: 'nothing'"),
        ("not_finite", "{0}: not_finite() gave nan for row 7"),
        ("short", "{0}: short() gave an array of shape [9], not a number for each of 10 rows"),
        ("words", "{0}: words() gave a list, in row 1 'good'"),
        ("reads", "{0}:{reads}: reads /work.txt"),
        ("nothing", "{0}: nothing() gave no number but a NoneType"),
        ("infinite", "{0}: infinite() gave inf as its value, which is no finite number"),
        ("other", "{0}: other() gave a mapping with score, not with value and rows"),
        ("ragged", "{0}: ragged() gave a list that holds no numbers alone"),
        ("ends", "{0}:{ends}: ends() fails: SystemExit: 3"),
    ],
)
def test_what_the_function_does_wrong_is_told_alone(function: str, told: str, tmp_path: Path) -> None:
    write(tmp_path)
    path, lines = tmp_path / "my_metric.py", FILE.splitlines()
    (tmp_path / "stage").mkdir()
    own = Own("name", str(path), function, Better.HIGHER)
    call = UserFunction(path, own, tmp_path / "stage" / "files")
    with pytest.raises(SourceError) as found:
        Scoring(call, call.name)(np.eye(10), [{"label": 0}] * 10)
    at = {name: lines.index(f"def {name}(predictions, rows):") + 2 for name in ("reads", "ends")}
    at["helper"] = lines.index("def helper(rows):") + 2
    assert found.value.message.startswith(told.format(path, **at))
    frames = [line for line in (found.value.hint or "").splitlines() if line.startswith("  ")]
    assert all(line.startswith("  my_metric.py:") for line in frames) and len(frames) == 2 * (function == "fails")
    assert not list((tmp_path / "stage").iterdir())


def test_a_function_that_fails_ends_the_run_with_its_own_lines(ovrun: Ovrun, tmp_path: Path) -> None:
    write(tmp_path, "fails")
    error = ovrun("optimize", "own.yaml", "--allow-code", code=4).stderr
    assert "fails() fails: KeyError: 'nothing'" in error and "Traceback" not in error
    assert {line.split(":")[0].strip() for line in error.splitlines() if ", in " in line} == {"my_metric.py"}
    assert not list((tmp_path / "outputs").glob("own/*"))


SWEEP = """
sweep: {compression.mode: [int8_asym, int8_sym]}
select: {maximize: share}
"""


def test_a_sweep_chooses_by_it(ovrun: Ovrun, tmp_path: Path) -> None:
    write(tmp_path, "share", SWEEP)
    assert "--allow-code on the command line" in ovrun("sweep", "own.yaml", code=2).stderr
    ovrun("sweep", "own.yaml", "--allow-code", "--jobs", "2")
    record = json.loads((tmp_path / "outputs" / ".sweeps" / "own.json").read_text())
    values = [point["checks"][0]["value"] for point in record["points"] if point.get("checks")]
    assert len(values) == 2 and "share" in ovrun("report", "own").stdout
    (tmp_path / "own.yaml").write_text((tmp_path / "own.yaml").read_text().replace("maximize", "minimize"))
    assert "higher share is better; use maximize" in ovrun("validate", "own.yaml", code=2).stderr


CONTROL = """
defaults: [{model: digits-cnn}, {data: digits}, _self_]
conversion: {check: false}
compression:
  algorithm: quantization
  dataset: digits_calibration
  subset_size: 20
  accuracy_control:
    metric: {path: my_metric.py, function: FUNCTION, better: higher}
    dataset: digits_evaluation
    max_drop: 0.5
"""


def test_accuracy_control_searches_by_it(ovrun: Ovrun, tmp_path: Path) -> None:
    write(tmp_path)
    (tmp_path / "own.yaml").write_text(CONTROL.replace("FUNCTION", "share"))
    assert "compression.accuracy_control.metric.path" in ovrun("optimize", "own.yaml", code=2).stderr
    ovrun("optimize", "own.yaml", "--allow-code")
    version = tmp_path / "outputs" / "own" / "1"
    stage = next(one for one in manifest_of(version)["stages"] if one["stage"] == "quantize")
    scores, labels = outputs_of(version / "openvino_model.xml")
    found = stage["result"]["accuracy_control"]
    assert found["metric"] == "share" and found["value"] == np.mean(scores.argmax(1) == labels)
    (tmp_path / "own.yaml").write_text(CONTROL.replace("FUNCTION", "margin"))
    assert "no number for each row of which its value is the mean" in (
        ovrun("optimize", "own.yaml", "--allow-code", code=4).stderr
    )
