"""Keys: what says the same gives the same keys and the same artifact, and what shapes a figure does not."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
import yaml

from runner.artifact.placing import identity_of
from runner.base import hardware
from runner.base.keys import version_of
from runner.plan.builder import make_plan
from runner.plan.types import Plan
from runner.recipe import load_recipe
from runner.store import Store
from tests.foreign import conv, onnx_file, tflite_file

RECIPE = """
model: {source: embedded, id: dialogpt-mini}
datasets:
  talk: {source: embedded, id: dialogue-eval, column: text}
  both: {source: embedded, id: dialogue-eval, column: text, prompt: prompt, reply: reply}
compression: {algorithm: weight_compression, mode: int4_sym, ratio: 1.0, dataset: talk, scale_estimation: true}
accuracy:
  checks:
    - {metric: kl_divergence, dataset: talk, max: 1}
    - {metric: exact_match, dataset: both, min: 0.5}
"""
DIGITS = """
model: {source: embedded, id: digits-cnn}
datasets:
  seen: {source: embedded, id: digits-calibration, inputs: images, preprocess: {scale: 1.0}}
  labelled: {source: embedded, id: digits-evaluation, inputs: images, labels: labels}
compression: {algorithm: quantization, dataset: seen}
accuracy:
  checks:
    - {metric: relative_l2, dataset: labelled, max: 1}
"""


def plan(folder: Path, text: str, *changes: tuple[str, Any]) -> Plan:
    data = yaml.safe_load(text)
    for key, value in changes:
        at: Any = data
        *parents, last = [int(part) if part.isdecimal() else part for part in key.split("/")]
        for part in parents:
            at = at[part]
        if value is None:
            del at[last]
        else:
            at[last] = value
    path = folder / "one.yaml"
    path.write_text(yaml.safe_dump(data, sort_keys=False))
    return make_plan(load_recipe(str(path)), Store(folder / "store"))


def keys(found: Plan) -> set[str]:
    return {stage.key for stage in found.stages}


REVERSED = list(reversed(yaml.safe_load(RECIPE)["accuracy"]["checks"]))


@pytest.mark.parametrize(
    ("text", "changes"),
    [
        (RECIPE, [("compression/ratio", 1)]),
        (RECIPE, [("compression/gptq", False), ("compression/all_layers", False)]),
        (RECIPE, [("accuracy/checks/0/max", 1.0)]),
        (RECIPE, [("accuracy/checks/1/max_new_tokens", 64)]),
        (RECIPE, [("accuracy/checks", REVERSED)]),
        (RECIPE, [("datasets/talk/prompt", "prompt"), ("datasets/talk/reply", "reply")]),
        (RECIPE, [("datasets/both/column", None)]),
        (RECIPE, [("accuracy/runtime", {"KV_CACHE_PRECISION": "f32"})]),
        (RECIPE, [("accuracy/runtime", {"DYNAMIC_QUANTIZATION_GROUP_SIZE": 0.0})]),
        (DIGITS, [("datasets/seen/labels", "labels")]),
        (DIGITS, [("datasets/labelled/labels", None)]),
        (DIGITS, [("datasets/seen/preprocess", {})]),
        (DIGITS, [("datasets/seen/preprocess", {"mean": [0.0], "std": 1, "dtype": "float32", "layout": "NCHW->NCHW"})]),
    ],
)
def test_what_says_the_same_has_the_same_keys(tmp_path: Path, text: str, changes: list[tuple[str, Any]]) -> None:
    one, other = plan(tmp_path, text), plan(tmp_path, text, *changes)
    assert keys(one) == keys(other)
    assert identity_of(one) == identity_of(other)


@pytest.mark.parametrize(
    ("text", "changes", "same"),
    [
        (RECIPE, [("compression/ratio", 0.8)], {"convert", "statistics", "reference"}),
        (RECIPE, [("accuracy/runtime", {"INFERENCE_PRECISION_HINT": "dynamic"})], {"convert", "compress", "verify"}),
        (RECIPE, [("accuracy/runtime", {"KV_CACHE_PRECISION": "default"})], {"convert", "compress", "verify"}),
        (RECIPE, [("accuracy/checks/0/context_length", 64)], {"convert", "compress", "verify"}),
        (DIGITS, [("datasets/seen/preprocess", {"scale": 0.5})], {"convert", "reference"}),
        (DIGITS, [("datasets/seen/preprocess", None)], {"convert", "reference"}),
    ],
)
def test_what_shapes_a_result_is_in_its_key(
    tmp_path: Path, text: str, changes: list[tuple[str, Any]], same: set[str]
) -> None:
    one, other = plan(tmp_path, text), plan(tmp_path, text, *changes)
    shared = keys(one) & keys(other)
    assert same <= {one.stage(key).name for key in shared}
    assert one.stages[-1].key not in shared or "exact_match" in str(one.stages[-1].params)
    assert identity_of(one) != identity_of(other)


def test_a_check_says_only_what_it_changes_of_the_runtime(tmp_path: Path) -> None:
    found = plan(tmp_path, RECIPE, ("accuracy/runtime", {"NUM_STREAMS": 1, "KV_CACHE_PRECISION": "default"}))
    params = found.stage(found.measurements[0].key).params
    pinned = {"INFERENCE_PRECISION_HINT": "f32", "DYNAMIC_QUANTIZATION_GROUP_SIZE": 0, "NUM_STREAMS": 1}
    assert params.runtime == pinned


def test_processors_that_compute_otherwise_share_no_figures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here = plan(tmp_path, RECIPE)
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "SSE41")
    there = plan(tmp_path, RECIPE)
    assert hardware.arithmetic()[-1] == "ONEDNN_MAX_CPU_ISA=SSE41"
    shared = {here.stage(key).name for key in keys(here) & keys(there)}
    assert shared == {"convert", "statistics", "compress", "verify"}


def test_versions_are_those_that_python_knows() -> None:
    known = {found.metadata["Name"]: found.version for found in reversed(list(metadata.distributions()))}
    assert {name: version_of(name) for name in known} == known
    assert version_of("no-such-distribution") == "absent"


@pytest.mark.parametrize(("kind", "runner"), [("onnx", "onnxruntime"), ("tflite", "ai-edge-litert")])
def test_what_would_run_the_original_is_in_the_key_of_a_conversion_that_is_checked(
    kind: str, runner: str, tmp_path: Path
) -> None:
    """Installed or not: what went unchecked for want of it is converted anew once it is there."""
    make = onnx_file if kind == "onnx" else tflite_file
    make(tmp_path / f"net.{kind}", *([conv()] if kind == "onnx" else []))
    recipe = f"model: {{source: {kind}, path: {tmp_path}/net.{kind}}}\nconversion: {{precision: fp16}}\n"
    checked, not_checked = (
        plan(tmp_path, recipe, *changes).stages[0].document["versions"]
        for changes in ((), [("conversion/check", False)])
    )
    assert checked == {**not_checked, runner: version_of(runner)} and runner not in not_checked
