"""Weight compression: our verdict on settings against NNCF's own on a tiny model, and whole runs.

Run as a script, this file is the process that asks NNCF: settings as JSON on standard input, answers on the
last line of standard output.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import itertools
import json
import logging
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from runner.plan.model_rules import check_against_config
from runner.recipe import build, load
from runner.recipe.judge.schemas import load_schema
from runner.recipe.judge.weight_rules import backup_mode
from runner.recipe.origins import Origin
from runner.recipe.types import WeightCompression
from runner.stages import compress
from tests.conftest import Ovrun
from tests.graphs import CHANNELS, INNER, VOCABULARY, tiny_language_model

pytestmark = pytest.mark.libraries

CONFIG = {"model_type": "llama", "hidden_size": CHANNELS, "intermediate_size": INNER}
TEXT = {"source": "embedded", "id": "dialogue-train", "column": "text"}
CODEBOOK = [-1.0, -0.6, -0.3, -0.1, 0.1, 0.3, 0.6, 1.0]
ENUMS = {
    name: one["enum"]
    for name, one in load_schema("weight_compression.schema.json")["properties"].items()
    if "enum" in one
}
MODES = [mode for mode in ENUMS["mode"] if mode != "adaptive_codebook"]
GROUP_SIZES = (None, -1, 16, 32, 48)
BACKUPS = ENUMS["backup_mode"]
METRICS = [metric for metric in ENUMS["sensitivity_metric"] if metric != "weight_quantization_error"]
OPTIONS: dict[str, dict[str, Any]] = {
    "none": {},
    "ratio": {"ratio": 0.5},
    "ratio 1": {"ratio": 1.0},
    "ratio + dataset": {"ratio": 0.5, "dataset": "text"},
    "dataset": {"dataset": "text"},
    "awq": {"awq": True},
    "awq: false": {"awq": False},
    "awq + dataset": {"awq": True, "dataset": "text"},
    "all_layers": {"all_layers": True},
    **{name: {name: True, "dataset": "text"} for name in ("scale_estimation", "gptq", "lora_correction")},
    **{f"{name} without data": {name: True} for name in ("scale_estimation", "gptq", "lora_correction")},
    "gptq + lora_correction": {"gptq": True, "lora_correction": True, "dataset": "text"},
    **{f"backup {m}": {"backup_mode": m} for m in BACKUPS},
    **{f"fallback {m}": {"group_size_fallback_mode": m} for m in ENUMS["group_size_fallback_mode"]},
}
WITH_BACKUPS = ("int4_sym", "mxfp4", "fp4")
"""A mode of each family: its options are tried with every backup mode besides."""
FEWER: dict[str, dict[str, Any]] = {
    **{m: {"sensitivity_metric": m, "ratio": 0.5, "dataset": "text"} for m in METRICS},
    **{f"{m} without ratio": {"sensitivity_metric": m, "dataset": "text"} for m in METRICS},
    **{f"{m} without data": {"sensitivity_metric": m, "ratio": 0.5} for m in METRICS},
    "error of weights": {"sensitivity_metric": "weight_quantization_error", "ratio": 0.5},
    "error of weights, ratio 1": {"sensitivity_metric": "weight_quantization_error", "ratio": 1.0},
    "error of weights without ratio": {"sensitivity_metric": "weight_quantization_error"},
    "two methods": {"awq": True, "scale_estimation": True, "dataset": "text"},
    "three methods": {"awq": True, "scale_estimation": True, "gptq": True, "dataset": "text"},
    "scales and matrices": {"scale_estimation": True, "lora_correction": True, "dataset": "text"},
    "steps": {"awq": True, "dataset": "text", "advanced": {"awq_params": {"steps": 3, "percent_to_apply": 1.0}}},
    "awq + steps": {"awq": True, "advanced": {"awq_params": {"steps": 3}}},
    "steps without awq": {"advanced": {"awq_params": {"steps": 3}}},
    "no steps": {"awq": True, "dataset": "text", "advanced": {"awq_params": {"steps": 0}}},
    "scale steps": {
        "scale_estimation": True,
        "dataset": "text",
        "advanced": {"scale_estimation_params": {"scale_steps": 0}},
    },
    "blocks": {"gptq": True, "dataset": "text", "advanced": {"gptq_params": {"block_size": 24}}},
    "no blocks": {"gptq": True, "dataset": "text", "advanced": {"gptq_params": {"block_size": 0}}},
    "no damping": {"gptq": True, "dataset": "text", "advanced": {"gptq_params": {"damp_percent": 0}}},
    "rank": {"lora_correction": True, "dataset": "text", "advanced": {"lora_correction_params": {"adapter_rank": 4}}},
    "adjust": {"group_size": 128, "group_size_fallback_mode": "adjust", "advanced": {"min_adjusted_group_size": 64}},
    "too large to adjust": {"advanced": {"min_adjusted_group_size": 64}},
    "a codebook": {"advanced": {"codebook": CODEBOOK}},
}
ADAPTIVE: dict[str, dict[str, Any]] = {
    "fitted": {"advanced": {"adaptive_codebook_params": {"num_elements": 4, "value_type": "float16"}}},
    "does not divide": {"group_size": 48},
    "without data": {"dataset": None},
    "all_layers": {"all_layers": True},
    "across blocks": {"advanced": {"adaptive_codebook_params": {"across_blocks": True}}},
    "sizes disagree": {"advanced": {"codebook": CODEBOOK}},
}
ACCEPTED_WITHOUT_EFFECT = {
    "none": "nothing is asked",
    "ratio 1": "states NNCF's default",
    "awq: false": "states NNCF's default",
    "fallback error": "states NNCF's default",
    "fallback ignore": "the group size divides all channels of this model; in another model it might not",
    "fallback adjust": "the group size divides all channels of this model; in another model it might not",
}
"""What we accept though NNCF's result is the one without it: option -> reason."""
REFUSED_THOUGH_IT_WORKS: dict[str, str] = {}
"""What we refuse though NNCF's result is another one than without it: option -> reason."""


def cases() -> Iterator[tuple[str, dict[str, Any]]]:
    """All settings by a name: mode, group size, option."""
    for mode, size in itertools.product(MODES, GROUP_SIZES):
        for option, changes in OPTIONS.items():
            yield f"{mode} | {size} | {option}", _settings(mode, size, changes)
    for mode, (option, changes), backup in itertools.product(WITH_BACKUPS, OPTIONS.items(), BACKUPS):
        if "backup" not in option:
            settings = _settings(mode, _usual(mode), changes | {"backup_mode": backup})
            yield f"{mode} | {_usual(mode)} | backup {backup} + {option}", settings
    for mode, (option, changes) in itertools.product(("int4_sym", "mxfp4"), FEWER.items()):
        yield (
            f"{mode} | {None if mode == 'mxfp4' else 16} | {option}",
            _settings(mode, None if mode == "mxfp4" else 16, changes),
        )
    for option, changes in ADAPTIVE.items():
        settings = _settings("adaptive_codebook", None, {"dataset": "text", **changes})
        yield f"adaptive_codebook | None | {option}", settings


def _usual(mode: str) -> int | None:
    """The group size that a mode is tried with in full."""
    return None if mode.startswith("int8") else 32 if mode.startswith("mx") else 16


def _settings(mode: str, size: int | None, changes: dict[str, Any]) -> dict[str, Any]:
    settings: dict[str, Any] = {"mode": mode}
    if size is not None:
        settings["group_size"] = size
    if mode == "codebook":
        settings["advanced"] = {"codebook": CODEBOOK}
    return {key: value for key, value in (settings | changes).items() if value is not None}


def ask_nncf() -> None:
    """Answer for each setting what NNCF says, or a digest of the constants and their element types."""
    import numpy as np

    from runner.nncf import patches
    from runner.nncf import process as nncf_process

    nncf = nncf_process.import_nncf()
    nncf.set_log_level(logging.ERROR)
    if HELPERS in sys.argv:
        lowering = importlib.import_module("nncf.quantization.algorithms.weight_compression.weight_lowering")
        assert lowering.MIN_INPUT_SIZE_FOR_OPTIMIZED_COMPRESSION > 0
        lowering.MIN_INPUT_SIZE_FOR_OPTIMIZED_COMPRESSION = 0
    if KEEP in sys.argv:
        patches.keep_compiled_models()
    model, rng = tiny_language_model(), np.random.default_rng(1)
    dataset = nncf.Dataset([{"input_ids": rng.integers(0, VOCABULARY, (1, 24))} for _ in range(3)])
    settings = json.load(sys.stdin)
    known: dict[str, Any] = {}
    with contextlib.redirect_stdout(sys.stderr):
        for one in settings:
            text = json.dumps(one, sort_keys=True)
            if text not in known:
                known[text] = _verdict(nncf, model.clone(), one, dataset)
    json.dump([known[json.dumps(one, sort_keys=True)] for one in settings], sys.stdout)


def _verdict(nncf: Any, model: Any, settings: dict[str, Any], dataset: Any) -> dict[str, Any]:
    from runner.model import ir
    from runner.nncf import weights

    arguments = dict(settings)
    advanced = {key: arguments.pop(key, None) for key in ("advanced", "group_size_fallback_mode")}
    fields = weights.advanced(WeightCompression(settings["mode"], **advanced))
    if fields:
        arguments["advanced_parameters"] = nncf.AdvancedCompressionParameters(**fields)
    for key, kind in (("backup_mode", nncf.BackupMode), ("sensitivity_metric", nncf.SensitivityMetric)):
        if key in arguments:
            arguments[key] = kind(arguments[key])
    if "dataset" in arguments:
        arguments["dataset"] = dataset
    try:
        nncf.compress_weights(model, **{**arguments, "mode": nncf.CompressWeightsMode(arguments["mode"])})
    except Exception as error:
        return {"error": f"{type(error).__name__}: {str(error)[:200]}"}
    digest = hashlib.sha256()
    for node in model.get_ordered_ops():
        if node.get_type_name() == "Constant":
            digest.update(node.get_element_type().get_type_name().encode() + node.data.tobytes())
    return {"digest": digest.hexdigest(), "kinds": sorted(ir.constants(model))}


HERE = Path(__file__)
KEEP = "--keep"
HELPERS = "--helpers"
"""Compress by helper models, which NNCF otherwise leaves out for weights as small as these."""


def refusals(settings: dict[str, Any]) -> list[str]:
    """What schemas, rules and the model's config say against settings."""
    config = {
        "model": {"source": "embedded", "id": "dialogpt-mini"},
        "datasets": {"text": TEXT},
        "compression": {"algorithm": "weight_compression", **settings},
    }
    origins = {(): Origin("recipe", "recipe", HERE.parent, (0, 0, 0))}
    problems = [str(found.problem) for found in load.judge(config, origins, Path("recipe.yaml"))]
    if problems:
        return problems
    recipe = build.build(config, origins, Path("recipe.yaml"))
    return [str(problem) for problem in check_against_config(recipe, CONFIG)]


@pytest.fixture(scope="module")
def answers() -> dict[str, dict[str, Any]]:
    """Case -> what NNCF makes of it."""
    return _ask(dict(cases()), KEEP)


def _ask(named: dict[str, dict[str, Any]], *words: str) -> dict[str, dict[str, Any]]:
    """What NNCF makes of settings; asked in one process without torch."""
    env = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "NNCF_CI": "1"}
    env["PYTHONPATH"] = str(HERE.parents[2])
    done = subprocess.run(
        [sys.executable, str(HERE), *words],
        input=json.dumps(list(named.values())),
        capture_output=True,
        text=True,
        env=env,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return dict(zip(named, json.loads(done.stdout.splitlines()[-1]), strict=True))


def _without_option(case: str, answers: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """The answer for the same mode and group size without the option, or without the data that it got besides."""
    mode, size, option = case.split(" | ")
    return answers.get(f"{mode} | {size} | {option.rpartition(' + ')[0] or 'none'}", {})


@pytest.mark.newest
def test_our_verdict_is_that_of_nncf(answers: dict[str, dict[str, Any]]) -> None:
    wrong, used = [], set()
    for case, settings in cases():
        mode, _, option = case.split(" | ")
        answer, refused = answers[case], refusals(settings)
        effect = "digest" in answer and answer["digest"] != _without_option(case, answers).get("digest")
        if "error" in answer and not refused:
            wrong.append(f"{case}: accepted, NNCF: {answer['error']}")
        elif effect and refused and option not in REFUSED_THOUGH_IT_WORKS:
            wrong.append(f"{case}: works, refused: {refused}")
        elif "digest" in answer and not effect and not refused:
            default = option.startswith("backup ") and option.endswith(backup_mode({"mode": mode}))
            alone = option.partition(" + ")[2] if option.startswith("backup ") and " + " in option else option
            used.add(alone)
            if alone not in ACCEPTED_WITHOUT_EFFECT and not default:
                wrong.append(f"{case}: accepted, but NNCF ignores it")
    assert wrong == []
    assert used >= set(ACCEPTED_WITHOUT_EFFECT)


@pytest.mark.newest
def test_compiled_models_that_are_kept_change_no_byte() -> None:
    plain = [(case, settings) for case, settings in cases() if "data" not in case and " + " not in case]
    named = dict(one for one in plain if one[1].get("group_size") in (None, 16))
    named = dict(list(named.items())[::3])
    bare = _ask(named, HELPERS)
    assert _ask(named, HELPERS, KEEP) == bare
    assert sum("digest" in answer for answer in bare.values()) > 80
    assert {settings["mode"] for settings in named.values()} == {*MODES, "adaptive_codebook"}


@pytest.mark.newest
def test_the_element_type_of_every_mode_is_the_one_that_nncf_leaves(answers: dict[str, dict[str, Any]]) -> None:
    seen = set()
    for case, settings in cases():
        answer = answers[case]
        if "digest" in answer and not case.endswith(("fallback ignore", "fallback adjust")):
            assert compress.element_type(settings) in answer["kinds"], (case, answer["kinds"])
            seen.add(settings["mode"])
    assert seen == {*MODES, "adaptive_codebook"}


def test_a_float_backup_is_refused_where_its_groups_do_not_divide() -> None:
    settings = {"mode": "int4_sym", "group_size": 16, "backup_mode": "mxfp8_e4m3"}
    assert refusals(settings) == []
    narrow = {**CONFIG, "hidden_size": 48, "intermediate_size": 96}
    config = {
        "model": {"source": "embedded", "id": "dialogpt-mini"},
        "compression": {"algorithm": "weight_compression", **settings},
    }
    origins = {(): Origin("recipe", "recipe", HERE.parent, (0, 0, 0))}
    (problem,) = check_against_config(build.build(config, origins, Path("recipe.yaml")), narrow)
    assert problem.key == "compression.backup_mode"


RECIPE = """
defaults: [{model: dialogpt-mini}, {data: dialogue}, _self_]
compression:
  algorithm: weight_compression
"""
DATA_AWARE = """  mode: int4_sym
  group_size: 32
  dataset: dialogue_train
  subset_size: 4
  scale_estimation: true
  advanced: {scale_estimation_params: {scale_steps: 1, subset_size: 4}}
"""


@pytest.mark.parametrize(
    ("settings", "element_type"), [(DATA_AWARE, "i4"), ("  mode: mxfp4\n", "f4e2m1"), ("  mode: nvfp4\n", "f4e2m1")]
)
def test_a_whole_run(
    settings: str, element_type: str, ovrun: Ovrun, converted: Callable[[str], Path], tmp_path: Path
) -> None:
    converted("dialogpt-mini-int4")
    (tmp_path / "mine.yaml").write_text(RECIPE + settings)
    document = json.loads(ovrun("optimize", "mine.yaml", "--json").stdout)
    assert not any("convert" in label for label in document["ran"])
    manifest = json.loads((tmp_path / document["path"] / "manifest.json").read_text())
    (compressed,) = [stage for stage in manifest["stages"] if stage["stage"] == "compress"]
    assert compressed["result"]["constants"][element_type]["count"] > 4


def test_awq_that_finds_nothing_to_scale_is_told(ovrun: Ovrun, tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(RECIPE + "  mode: int4_sym\n  group_size: 32\n  awq: true\n")
    assert "AWQ does nothing" in ovrun("optimize", "mine.yaml", code=2).stderr


@pytest.mark.parametrize("gate", [False, True])
def test_awq_without_anything_to_scale_is_heard_of_in_the_stage(gate: bool) -> None:
    script = f"""
from runner.nncf import process
from runner.errors import RecipeError
from runner.recipe.types import WeightCompression
from runner.stages import compress
from tests.graphs import tiny_language_model
nncf = process.import_nncf()
try:
    with compress._awq_heard(WeightCompression("int4_sym", awq=True)):
        mode = nncf.CompressWeightsMode.INT4_SYM
        nncf.compress_weights(tiny_language_model({gate}), mode=mode, group_size=16, awq=True)
    print("went on")
except RecipeError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=HERE.parents[2])
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].startswith("went on" if gate else ": awq: AWQ finds nothing")


if __name__ == "__main__":
    ask_nncf()
