"""Shared calibration statistics: equal models with and without them, and what makes them be collected anew.

Run as a script, this file is the process that compresses: a folder as its argument, answers on the last line of
standard output.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

import runner.base.files as fs
from runner.plan.builder import make_plan
from runner.plan.types import Stage
from runner.recipe import load_recipe
from runner.recipe.judge.schemas import load_schema
from runner.recipe.types import IgnoredScope
from runner.stages import Task, compress, statistics
from runner.store import store_of
from tests.conftest import Ovrun
from tests.samples import SAMPLES, int4_params, token_samples

pytestmark = pytest.mark.libraries

SCOPE = IgnoredScope(patterns=(".*MatMul_1.*",), validate=False)
METRICS = [
    metric
    for metric in load_schema("weight_compression.schema.json")["properties"]["sensitivity_metric"]["enum"]
    if metric != "weight_quantization_error"  # which needs no data
]
SETTINGS: dict[str, dict[str, Any]] = {
    "scale estimation": {"scale_estimation": True},
    "asymmetric": {"mode": "int4_asym", "scale_estimation": True},
    "nf4, other groups": {"mode": "nf4", "group_size": 32, "scale_estimation": True},
    "one group a channel": {"group_size": -1, "scale_estimation": True},
    "awq": {"awq": True},
    "awq, nf4": {"mode": "nf4", "awq": True, "group_size": 32},
    "awq, scale estimation": {"awq": True, "scale_estimation": True},
    "gptq": {"gptq": True},
    "awq, scale estimation, gptq": {"awq": True, "scale_estimation": True, "gptq": True},
    "lora": {"lora_correction": True},
    "scale estimation, lora": {"scale_estimation": True, "lora_correction": True},
    "mixed": {"ratio": 0.5},
    **{metric: {"ratio": 0.5, "sensitivity_metric": metric} for metric in METRICS},
    "mixed, scale estimation": {"ratio": 0.5, "scale_estimation": True},
    "all layers": {"all_layers": True, "scale_estimation": True},
    "no backup": {"backup_mode": "none", "ratio": 0.5, "scale_estimation": True},
    "ignored scope": {"ignored_scope": SCOPE, "scale_estimation": True},
    "adaptive codebook": {"mode": "adaptive_codebook", "group_size": -1},
    "fewer samples": {"scale_estimation": True, "advanced": {"scale_estimation_params": {"subset_size": 4}}},
}


def _no_progress(done: int, total: int) -> None:
    """Nobody watches."""


def _run(stage: Any, out: Path, inputs: Mapping[str, Path], params: Any, datasets: Any) -> Path:
    out.mkdir()
    if stage is statistics:
        params = statistics.Params(SAMPLES, None, params.after_other)
    stage.run(Task(stage.__name__, params, out, inputs, datasets), _no_progress)
    return out


def _content(folder: Path) -> tuple[list[str], str]:
    """A model's constants in the order of its operations, and what NNCF wrote about them."""
    import hashlib

    from runner.model.parts import Model

    model = Model.of(folder).read()
    weights = [node for node in model.get_ordered_ops() if node.get_type_name() == "Constant"]
    told = str(model.get_rt_info(["nncf", "weight_compression", "advanced_parameters"]).value)
    return [f"{w.get_element_type()}{hashlib.sha256(w.data.tobytes()).hexdigest()}" for w in weights], told


def compress_all(work: Path) -> dict[str, Any]:
    """Setting -> whether its model is the same with shared statistics; and what else there is to know."""
    import openvino as ov

    from runner.errors import RecipeError
    from tests.graphs import tiny_language_model

    datasets = token_samples(work)
    model = work / "model"
    model.mkdir()
    ov.save_model(tiny_language_model(), model / "openvino_model.xml", compress_to_fp16=True)
    answers: dict[str, Any] = {}

    def compare(name: str, source: Path, shared: Path, params: compress.Params) -> Path:
        bare = _run(compress, work / f"{name} bare", {"model": source}, params, datasets)
        data = datasets if params.step.gptq else {}
        mine = _run(compress, work / name, {"model": source, "statistics": shared}, params, data)
        answers[name] = _content(bare) == _content(mine)
        return mine

    shared = _run(statistics, work / "statistics", {"model": model}, int4_params(), datasets)
    before = {path.name: fs.sha256_file(path) for path in fs.walk(shared)}
    for name, settings in SETTINGS.items():
        compare(name, model, shared, int4_params(**settings))
    answers["unchanged"] = before == {path.name: fs.sha256_file(path) for path in fs.walk(shared)}
    answers["bytes"] = sum(path.stat().st_size for path in fs.walk(shared))
    answers["paths"] = [path.name for path in work.glob("*/*.xml") if str(work) in path.read_text()]
    part = _run(compress, work / "part", {"model": model}, int4_params(gptq=False, ignored_scope=SCOPE), datasets)
    second = int4_params(scale_estimation=True, after_other=True)
    shared = _run(statistics, work / "statistics of part", {"model": part}, second, datasets)
    compare("second step", part, shared, second)
    try:
        _run(statistics, work / "again", {"model": part}, int4_params(), datasets)
    except RecipeError as error:
        answers["refused"] = str(error)
    return answers


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """All settings, compressed in one process."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.integration.test_statistics", str(tmp_path_factory.mktemp("statistics"))],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1", "NNCF_CI": "1"},
    )
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return told


@pytest.mark.parametrize("name", [*SETTINGS, "second step"])
def test_shared_statistics_change_nothing(name: str, answers: dict[str, Any]) -> None:
    assert answers[name] is True


def test_nncf_only_reads_the_statistics(answers: dict[str, Any]) -> None:
    assert answers["unchanged"] is True and answers["bytes"] > 4 * SAMPLES * 64


def test_no_model_tells_where_the_statistics_lay(answers: dict[str, Any]) -> None:
    assert answers["paths"] == []


def test_a_compressed_model_is_refused_before_anything_is_collected(answers: dict[str, Any]) -> None:
    assert "weight_compression before" in answers["refused"]


RECIPE = """
defaults: [{model: dialogpt-mini}, {data: dialogue}, _self_]
datasets: {other: {source: embedded, id: dialogue-eval, column: text}}
compression:
  algorithm: weight_compression
  mode: int4_sym
  group_size: 32
  dataset: dialogue_train
  subset_size: 4
  scale_estimation: true
  advanced: {scale_estimation_params: {scale_steps: 1, subset_size: 4}}
"""


def _planned(folder: Path, *overrides: str) -> dict[str, Stage]:
    """The stages of a recipe by name."""
    (folder / "mine.yaml").write_text(RECIPE)
    recipe = load_recipe(str(folder / "mine.yaml"), overrides)
    return {stage.name: stage for stage in make_plan(recipe, store_of(folder / "outputs")).stages}


SHARING: Sequence[tuple[str, ...]] = (
    ("compression.mode=nf4",),
    ("compression.group_size=64",),
    ("+compression.ratio=0.5",),
    ("+compression.ratio=0.5", "+compression.sensitivity_metric=mean_activation_variance"),
    ("+compression.all_layers=true",),
    ("+compression.backup_mode=none",),
    ("+compression.gptq=true",),
    ("+compression.ignored_scope={types: [Gather]}",),
    ("~compression.advanced", "~compression.scale_estimation", "+compression.lora_correction=true"),
)
NOT_SHARING: Sequence[tuple[str, ...]] = (
    ("compression.subset_size=5",),
    ("compression.dataset=other",),
    ("+datasets.dialogue_train.limit=40",),
    ("+seed=1",),
    ("conversion.precision=fp32",),
    ("+input_info=[{sample_size: [1, 16], type: long}]",),
)


@pytest.mark.parametrize("overrides", SHARING)
def test_settings_of_the_compression_share_statistics(overrides: tuple[str, ...], tmp_path: Path) -> None:
    one, other = _planned(tmp_path), _planned(tmp_path, *overrides)
    assert one["statistics"].key == other["statistics"].key
    assert one["compress"].key != other["compress"].key


@pytest.mark.parametrize("overrides", NOT_SHARING)
def test_what_shapes_the_statistics_is_in_their_key(overrides: tuple[str, ...], tmp_path: Path) -> None:
    one, other = _planned(tmp_path), _planned(tmp_path, *overrides)
    assert one["statistics"].key != other["statistics"].key
    assert one["compress"].key != other["compress"].key


def test_only_gptq_reads_the_data_again(tmp_path: Path) -> None:
    assert not _planned(tmp_path)["compress"].datasets
    assert _planned(tmp_path, "+compression.gptq=true")["compress"].datasets


def test_without_data_nothing_is_collected(tmp_path: Path) -> None:
    without = (
        "~compression.dataset",
        "~compression.subset_size",
        "~compression.scale_estimation",
        "~compression.advanced",
    )
    assert "statistics" not in _planned(tmp_path, *without)


def test_a_second_setting_collects_nothing(ovrun: Ovrun, converted: Callable[[str], Path], tmp_path: Path) -> None:
    converted("dialogpt-mini-int4")
    (tmp_path / "mine.yaml").write_text(RECIPE)
    first = json.loads(ovrun("optimize", "mine.yaml", "--json").stdout)
    assert "collect statistics on dialogue_train" in first["ran"]
    second = json.loads(ovrun("optimize", "mine.yaml", "compression.mode=int4_asym", "--json").stdout)
    assert second["ran"] == ["compress to int4_asym", "verify"]
    (collected,) = [row for row in _manifest(tmp_path, second)["stages"] if row["stage"] == "statistics"]
    assert collected["result"]["calibration_items"] == 4


def _manifest(folder: Path, document: dict[str, Any]) -> dict[str, Any]:
    manifest: dict[str, Any] = json.loads((folder / document["path"] / "manifest.json").read_text())
    return manifest


if __name__ == "__main__":
    with contextlib.redirect_stdout(sys.stderr):
        answered = compress_all(Path(sys.argv[1]))
    print(json.dumps(answered))
