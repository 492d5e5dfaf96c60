"""A package of somebody else, built and installed: what it declares works as ours does; no file of ours knows it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from runner.embedded import DATASETS
from tests.conftest import Ovrun
from tests.outputs import manifest_of

PLUGIN = Path(__file__).parents[1] / "plugin"
NAME = "ovrun-example"

LINEAR = """
model: {source: linear, path: classifier.npz}
datasets:
  rows: {source: file, path: rows.npz, inputs: values, labels: labels}
compression: {algorithm: weight_compression, mode: int8_asym}
accuracy:
  checks:
    - {metric: accuracy, dataset: rows, min: 0}
    - {metric: top5_accuracy, dataset: rows, k: 3, min: 0.9, max_drop: 0.05}
"""
DIALOGUE = """
model: {source: embedded, id: dialogpt-mini}
datasets:
  questions: {source: file, path: questions.psv, prompt: prompt, reply: reply, limit: 20}
compression: {algorithm: weight_compression, mode: int8_asym}
accuracy: {checks: [{metric: shared_words, dataset: questions, max_new_tokens: 16, min: 0.5}]}
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of packages that holds it."""
    folder = tmp_path_factory.mktemp("plugin")
    shutil.copytree(PLUGIN, folder / "source")
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "-w", folder]
    subprocess.run([*pip, folder / "source"], check=True)
    (wheel,) = folder.glob("ovrun_example-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Recipes with their data: ten classes, of which the right one is among the best three."""
    rng = np.random.default_rng(0)
    weights = rng.standard_normal((10, 16)).astype(np.float32)
    values = rng.standard_normal((200, 16)).astype(np.float32)
    order = np.argsort(-(values @ weights.T), axis=1)
    np.savez(tmp_path / "classifier.npz", weights=weights, bias=np.zeros(10, np.float32))
    np.savez(tmp_path / "rows.npz", values=values, labels=order[np.arange(200), rng.integers(0, 3, 200)])
    rows = [json.loads(line) for line in DATASETS["dialogue-eval"].read_text().splitlines()[:30]]
    questions = [f'"{row["prompt"]}"|"{row["reply"]}"' for row in rows]
    (tmp_path / "questions.psv").write_text("prompt|reply\n" + "\n".join(questions) + "\n")
    (tmp_path / "linear.yaml").write_text(LINEAR)
    (tmp_path / "dialogue.yaml").write_text(DIALOGUE)
    return tmp_path


@pytest.fixture
def run(ovrun: Ovrun, project: Path, site: Path) -> Callable[..., Any]:
    """ovrun with the package."""
    return lambda *words, **more: ovrun(*words, cwd=project, PYTHONPATH=str(more.pop("site", site)), **more)


def test_without_the_package_nobody_knows_its_names(ovrun: Ovrun, project: Path) -> None:
    told = ovrun("validate", "linear.yaml", cwd=project, code=2).stderr
    assert 'model.source: "linear"' in told and 'metric: "top5_accuracy"' in told
    assert "datasets.questions.path" in ovrun("validate", "dialogue.yaml", cwd=project, code=2).stderr


def test_its_keys_validate_and_are_explained(run: Callable[..., Any], project: Path, site: Path) -> None:
    run("validate", "linear.yaml")
    told = run("validate", "linear.yaml", "accuracy.checks.1.k=0", code=2).stderr
    assert "accuracy.checks.1.k" in told and "at least 1 and at most 1000" in told
    told = run("validate", "linear.yaml", "+accuracy.checks.0.k=2", code=2).stderr
    assert "only for top_k_accuracy and top5_accuracy" in told
    assert "top5_accuracy" in run("explain", "accuracy.checks.metric").stdout
    assert "How many classes count" in run("explain", "accuracy.checks.k").stdout
    assert "row-classification" in run("explain", "model.task").stdout
    assert "linear" in run("explain", "model.source").stdout and "psv" in run("explain", "datasets.NAME.path").stdout
    environment = {**os.environ, "PYTHONPATH": str(site)}
    page = [sys.executable, "-m", "runner.report.reference_page"]
    text = subprocess.run(page, capture_output=True, text=True, check=True, env=environment).stdout
    assert "accuracy.checks.k" in text and "shared_words" in text and ".psv" in text


def test_it_gates_and_its_version_stands_in_key_and_manifest(
    run: Callable[..., Any], project: Path, site: Path, tmp_path: Path
) -> None:
    run("optimize", "linear.yaml")
    found = manifest_of(project / "outputs" / "linear" / "latest")
    check = next(one for one in found["checks"] if one["metric"] == "top5_accuracy")
    assert check["value"] >= 0.9 and check["reference_value"] == 1.0
    assert check["value"] > next(one["value"] for one in found["checks"] if one["metric"] == "accuracy")
    assert found["libraries"][NAME] == "1.2.3"
    stages = {stage["label"]: stage["document"]["versions"] for stage in found["stages"]}
    assert [name for name, versions in stages.items() if NAME in versions] == [
        "convert to fp16",
        "verify",
        "evaluate top5 accuracy on rows",
    ]
    verified = next(stage["result"] for stage in found["stages"] if stage["label"] == "verify")
    assert verified["ran"] == "classified a row into one of 10" and found["model"]["task"] == "row-classification"
    assert "# as you like" in (project / "outputs" / "linear" / "latest" / "README.md").read_text()
    missed = run("optimize", "linear.yaml", "accuracy.checks.1.k=1", code=3).stderr
    assert "top5_accuracy on rows: min is 0.9" in missed

    shutil.copytree(site, tmp_path / "newer")
    old = tmp_path / "newer" / "ovrun_example-1.2.3.dist-info"
    (old / "METADATA").write_text((old / "METADATA").read_text().replace("1.2.3", "1.3.0"))
    plan = json.loads(run("plan", "linear.yaml", "--json", site=tmp_path / "newer").stdout)
    assert all(stage["state"] != "cached" for stage in plan["stages"])
    plan = json.loads(run("plan", "linear.yaml", "--json").stdout)
    assert all(stage["state"] == "cached" for stage in plan["stages"])


def test_it_sweeps_and_is_reported(run: Callable[..., Any], project: Path) -> None:
    run("sweep", "linear.yaml", "compression.mode=int8_asym,int8_sym")
    rows = json.loads(run("report", "--json").stdout)["rows"]
    assert len(rows) == 2 and "top5_accuracy" in run("report").stdout
    assert run("verify", "--all").returncode == 0


def test_its_rows_feed_text_and_its_metric_reads_replies(run: Callable[..., Any], project: Path) -> None:
    run("optimize", "dialogue.yaml")
    found = manifest_of(project / "outputs" / "dialogue" / "latest")
    (check,) = found["checks"]
    assert 0.5 <= check["value"] <= 1 and check["values"].keys() == {"shared_words"}
    assert found["libraries"][NAME] == "1.2.3"
    (project / "questions.psv").write_text('prompt|reply\n"never ends\n')
    assert "questions.psv, row" in run("plan", "dialogue.yaml", code=4).stderr


def test_a_package_that_is_broken_is_named(run: Callable[..., Any], site: Path, tmp_path: Path) -> None:
    shutil.copytree(site, tmp_path / "broken")
    (tmp_path / "broken" / "ovrun_example" / "metrics.py").write_text("import not_there\n")
    told = run("validate", "linear.yaml", site=tmp_path / "broken", code=4).stderr
    assert NAME in told and "not_there" in told and "uninstall" in told.lower()
