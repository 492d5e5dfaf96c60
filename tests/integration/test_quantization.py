"""Quantization in whole runs: 8-bit floats, mixed types, accuracy control, and what is told of a model beforehand."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from runner.errors import RecipeError
from runner.metrics import divergence, measuring
from runner.metrics.items import items
from runner.model import architecture, ir
from runner.model.parts import Model
from runner.model.runtime import compile_folder
from runner.recipe import load_recipe
from runner.recipe.accuracy import RUNTIME
from runner.recipe.types import Quantization
from runner.registry.metrics import METRICS, family_of
from runner.stages import quantize
from tests.compressed import types_of_layers
from tests.conftest import Ovrun
from tests.graphs import tiny_network
from tests.outputs import stage_result, stored

Publish = Callable[..., Path]
CONTROLS = [name for name, metric in METRICS.items() if metric.controls]
DIGITS = "defaults: [{model: digits-cnn}, {data: digits}, _self_]\n"
DIALOGUE = "defaults: [{model: dialogpt-mini}, {data: dialogue}, _self_]\n"
CONTROLLED = """
datasets: {digits_evaluation: {limit: 30}}
compression:
  algorithm: quantization
  dataset: digits_calibration
  subset_size: 20
  accuracy_control: {metric: cosine_similarity, dataset: digits_evaluation, max_drop: %s}
"""


def test_hybrid_quantization_leaves_layers_with_compressed_weights_in_floats(
    ovrun: Ovrun, converted: Callable[[str], Path], tmp_path: Path
) -> None:
    converted("digits-int8")
    step = "compression: {algorithm: quantization, hybrid: int8_asym, dataset: digits_calibration, subset_size: 20}\n"
    (tmp_path / "mine.yaml").write_text(DIGITS + step)
    ovrun("optimize", "mine.yaml")
    found = stage_result(tmp_path / "outputs" / "mine" / "1", "quantize")
    model = Model.of(tmp_path / "outputs" / "mine" / "1").read()
    kinds = [node.get_type_name() for node in model.get_ops()]
    assert found["constants"]["i8"]["count"] == kinds.count("Convolution") > 0 and found["quantizers"] > 0
    assert found["constants"]["u8"]["count"] > 0
    assert list(types_of_layers(model).values()) == [["float", "u8"]] * kinds.count("MatMul")
    (tmp_path / "mine.yaml").write_text(DIGITS + step.replace("20}", "20, ignored_scope: {types: [MatMul]}}"))
    assert "compression.hybrid: no layer took int8_asym weights" in ovrun("optimize", "mine.yaml", code=2).stderr


def test_accuracy_control_takes_layers_back_to_floats(
    ovrun: Ovrun, converted: Callable[[str], Path], tmp_path: Path
) -> None:
    converted("digits-int8")
    (tmp_path / "mine.yaml").write_text(DIGITS + CONTROLLED % 0.0001)
    told = ovrun("optimize", "mine.yaml").stdout
    found = stage_result(tmp_path / "outputs" / "mine" / "1", "quantize")
    control, model = found["accuracy_control"], Model.of(tmp_path / "outputs" / "mine" / "1").read()
    assert 0 < control["drop"] <= 0.0001 and control["items"] == 30
    assert control["drop"] == pytest.approx(control["reference_value"] - control["value"])
    assert control["reverted"] and found["quantizers"] > 0
    assert set(control["reverted"]) <= {node.get_friendly_name() for node in model.get_ops()}
    for words in (told, ovrun("show", "mine").stdout):
        assert "taken back to floats" in words and control["reverted"][0] in words
    passes = 3 + len(control["reverted"]) + found["quantizers"] + 20
    assert control["evaluated_items"] <= 30 * passes + 1, "NNCF asks for every item by itself"
    assert not (tmp_path / "outputs" / "mine" / "1" / ".reference").exists()


def test_a_limit_that_can_not_be_kept_publishes_nothing_unless_a_budget_ended_the_search(
    ovrun: Ovrun, converted: Callable[[str], Path], tmp_path: Path
) -> None:
    converted("digits-int8")
    (tmp_path / "mine.yaml").write_text(DIGITS + CONTROLLED % 0)
    told = ovrun("optimize", "mine.yaml", code=3).stderr
    assert "accuracy control" in told and "max_drop 0" in told and "log: " in told
    assert not (tmp_path / "outputs" / "mine").exists()
    assert len(stored(tmp_path / "outputs", "convert")) == 1 and stored(tmp_path / "outputs", "quantize") == []
    short = CONTROLLED.replace("%s", "0.0001, max_num_iterations: 1, drop_type: relative")
    (tmp_path / "mine.yaml").write_text(DIGITS + short)
    ovrun("optimize", "mine.yaml")
    control = stage_result(tmp_path / "outputs" / "mine" / "1", "quantize")["accuracy_control"]
    assert control["stopped"] == "max_num_iterations" and not control["held"] and control["drop"] > 0.0001


def test_accuracy_control_of_a_language_model(ovrun: Ovrun, shared: Path, tmp_path: Path) -> None:
    control = "{metric: perplexity, max_drop: 0.5, drop_type: relative, context_length: 128}"
    (tmp_path / "mine.yaml").write_text(f"""{DIALOGUE}
datasets: {{dialogue_train: {{limit: 20}}}}
compression: {{algorithm: quantization, dataset: dialogue_train, subset_size: 4, accuracy_control: {control}}}
""")
    document = json.loads(ovrun("optimize", "mine.yaml", "--outputs", shared, "--json").stdout)
    control = stage_result(Path(document["path"]), "quantize")["accuracy_control"]
    assert control["reverted"] == [] and control["drop"] == pytest.approx(
        control["value"] / control["reference_value"] - 1
    )


def test_the_key_covers_what_accuracy_control_measures(ovrun: Ovrun, tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(
        DIGITS
        + CONTROLLED % 0.0001
        + "accuracy: {checks: [CHECK]}\n".replace("CHECK", "{metric: accuracy, dataset: digits_evaluation, min: 0.1}")
    )
    control = "compression.accuracy_control"
    changes = (
        *(
            (),
            (f"{control}.max_drop=0.001",),
            (f"{control}.metric=accuracy",),
            ("datasets.digits_evaluation.limit=50",),
        ),
        *((f"+{control}.drop_type=relative",), ("+accuracy.runtime={INFERENCE_PRECISION_HINT: bf16}",)),
    )
    keys = set()
    for change in changes:
        document = json.loads(ovrun("plan", "mine.yaml", *change, "--json").stdout)
        keys |= {stage["key"] for stage in document["stages"] if stage["stage"] == "quantize"}
    assert len(keys) == len(changes)


def original_of(version: Path) -> Path:
    """The store's folder of the model that a version was made from, before it was optimized."""
    manifest = json.loads((version / "manifest.json").read_text())
    (key,) = [stage["key"] for stage in manifest["stages"] if stage["stage"] == "convert"]
    return version.parent.parent / ".store" / "entries" / key[:2] / key / "files"


def test_items_measure_what_the_metric_measures(published: Publish, tmp_path: Path) -> None:
    metric = "cosine_similarity"
    version, family = published("digits-int8"), family_of(metric)
    original, dataset = original_of(version), load_recipe("digits-int8").datasets["digits_evaluation"]
    dataset = dataclasses.replace(dataset, limit=50)
    for folder in (tmp_path / "items", tmp_path / "reference"):
        folder.mkdir()
    found = items(metric, compile_folder(original), dataset, {}, tmp_path / "items")
    value, each = found.measure(compile_folder(version), range(found.count))
    measuring(family).reference(original, dataset, {}, RUNTIME, tmp_path / "reference", print)
    whole = measuring(family).evaluate(version, dataset, {}, RUNTIME, tmp_path / "reference", print)
    assert value == pytest.approx(whole["values"][metric], abs=1e-6)
    assert value == pytest.approx(np.mean(each)) and len(each) == 50
    assert found.measure(compile_folder(version), [3, 7])[1] == [each[3], each[7]]


@pytest.mark.parametrize("metric", [name for name in CONTROLS if METRICS[name].family == "divergence"])
def test_windows_measure_what_the_metrics_measure(metric: str, published: Publish, tmp_path: Path) -> None:
    version = published("dialogpt-mini-ptq")
    original, dataset = original_of(version), load_recipe("dialogpt-mini-ptq").datasets["dialogue_eval"]
    dataset, params = dataclasses.replace(dataset, limit=12), {"context_length": 64, "stride": 32}
    for folder in (tmp_path / "items", tmp_path / "reference"):
        folder.mkdir()
    found = items(metric, compile_folder(original), dataset, params, tmp_path / "items")
    value, each = found.measure(compile_folder(version), range(found.count))
    divergence.reference(original, dataset, params, RUNTIME, tmp_path / "reference", print)
    whole = divergence.evaluate(version, dataset, params, RUNTIME, tmp_path / "reference", print)
    assert value == pytest.approx(whole["values"][metric], rel=1e-6)
    assert len(each) == whole["protocol"]["windows"] > 3


MIXED = """
compression:
  - {algorithm: weight_compression, mode: int4_sym, ratio: 1.0, group_size: 64}
  - algorithm: quantization
    dataset: dialogue_train
    subset_size: 8
    preset: mixed
    overflow_fix: disable
    model_type: transformer
"""
OPTIMUM = """
import json, sys
import nncf, numpy as np, openvino as ov
from optimum.intel.openvino.configuration import OVMixedQuantizationConfig
from optimum.intel.openvino.quantization import _mixed_quantization
sys.path.insert(0, ROOT)
from tests.compressed import types_of_layers
model = ov.Core().read_model(FOLDER + "/openvino_model.xml")
rng = np.random.default_rng(0)
feeds = [
    {"input_ids": rng.integers(0, 1000, (1, 32)), "attention_mask": np.ones((1, 32), np.int64),
     "position_ids": np.arange(32)[None], "beam_idx": np.zeros(1, np.int32)}
    for _ in range(8)
]
names = {name for port in model.inputs for name in port.get_names()}
dataset = nncf.Dataset([{key: value for key, value in feed.items() if key in names} for feed in feeds])
config = OVMixedQuantizationConfig(
    weight_quantization_config={"bits": 4, "sym": True, "group_size": 64, "ratio": 1.0},
    full_quantization_config={"dtype": "int8"},
    num_samples=8,
)
print(json.dumps(types_of_layers(_mixed_quantization(model, config, dataset))))
"""


@pytest.mark.newest
def test_mixed_types_are_those_of_optimum(ovrun: Ovrun, shared: Path, tmp_path: Path) -> None:
    (tmp_path / "mixed-types.yaml").write_text(DIALOGUE + MIXED)
    version = Path(json.loads(ovrun("optimize", "mixed-types.yaml", "--outputs", shared, "--json").stdout)["path"])
    ours = types_of_layers(Model.of(version).read())
    script = f"ROOT, FOLDER = {str(Path(__file__).parents[2])!r}, {str(original_of(version))!r}\n{OPTIMUM}"
    env = {**os.environ, "NNCF_CI": "1"}
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=env, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    assert json.loads(done.stdout.splitlines()[-1]) == ours
    kinds = [kind for layer in ours.values() for kind in layer]
    assert kinds.count("i4") > 8 and kinds.count("256 levels") > 8 and "u8" in kinds


@pytest.mark.newest
def test_eight_bit_floats(ovrun: Ovrun, shared: Path, tmp_path: Path) -> None:
    (tmp_path / "floats.yaml").write_text(f"""{DIALOGUE}
compression: {{algorithm: quantization, mode: fp8_e4m3, dataset: dialogue_train, subset_size: 8}}
accuracy: {{checks: [{{metric: kl_divergence, dataset: dialogue_eval, max: 0.05}}]}}
""")
    version = Path(json.loads(ovrun("optimize", "floats.yaml", "--outputs", shared, "--json").stdout)["path"])
    found = stage_result(version, "quantize")
    assert found["constants"]["f8e4m3"]["count"] > 8 and "i8" not in found["constants"]
    assert found["quantizers"] > 8 and found["model_type"] == "transformer"


def test_smoothing_of_a_model_without_attention_is_refused_before_the_conversion(ovrun: Ovrun, tmp_path: Path) -> None:
    smooth = "+compression.advanced={smooth_quant_alphas: {matmul: 0.5}}"
    told = ovrun("optimize", "digits-int8", smooth, code=2).stderr
    assert "NNCF smooths transformers only, and the model is of type resnet" in told
    assert stored(tmp_path / "outputs", "convert") == []


def test_an_ignored_scope_that_matches_nothing_is_placed(ovrun: Ovrun, shared: Path) -> None:
    scope = "+compression.ignored_scope={names: [nothing]}"
    told = ovrun("optimize", "digits-int8", "compression.subset_size=2", scope, "--outputs", shared, code=2).stderr
    assert 'compression.ignored_scope.names: the model has no operation called "nothing"' in told


@pytest.mark.parametrize(
    ("config", "answer"),
    [
        ({"model_type": "gpt2", "n_head": 12}, True),
        ({"model_type": "llava", "text_config": {"num_attention_heads": 8}}, True),
        ({"model_type": "resnet", "hidden_sizes": [64]}, False),
        ({"model_type": "mine"}, None),
    ],
)
def test_a_config_tells_a_transformer(config: dict[str, Any], answer: bool | None) -> None:
    assert architecture.is_transformer(config) is answer


def test_attention_is_seen_in_the_operations() -> None:
    import openvino as ov
    from openvino import opset13 as op

    assert ir.has_attention(tiny_network())
    for computed in (False, True):
        x = op.parameter([1, 4, 4], np.float32)
        values = op.relu(x) if computed else op.constant(np.eye(4, dtype=np.float32))
        passed = op.convert(op.reshape(op.softmax(x, -1), op.constant([1, 4, 4]), False), "f32")
        assert ir.has_attention(ov.Model([op.result(op.matmul(passed, values, False, False))], [x], "net")) is computed


@pytest.mark.parametrize(
    ("changes", "model_type", "told"),
    [
        ({}, None, True),
        ({}, "transformer", False),
        ({"preset": "performance"}, "transformer", True),
        ({"preset": "mixed"}, None, False),
        ({"mode": "fp8_e4m3"}, None, False),
        ({"advanced": {"activations_quantization_params": {"mode": "symmetric"}}}, None, False),
    ],
)
def test_advice_on_activation_functions(changes: dict[str, Any], model_type: str | None, told: bool) -> None:
    notes = quantize._advice(tiny_network(), Quantization("images", **changes), model_type)
    assert ["Swish" in note for note in notes] == [True] * told


def test_what_would_be_in_vain_is_refused_where_the_model_shows_it() -> None:
    params = Quantization("images", advanced={"batchwise_statistics": True})
    batches = tiny_network()
    batches.reshape([4, 3, 4, 4])
    quantize._refuse_in_vain(batches, params, None)
    with pytest.raises(RecipeError, match="one item at a time"):
        quantize._refuse_in_vain(tiny_network(), params, None)
    smooth = Quantization("images", advanced={"smooth_quant_alphas": {"convolution": 0.5}})
    quantize._refuse_in_vain(tiny_network(), smooth, "transformer")
    with pytest.raises(RecipeError, match="transformers only"):
        quantize._refuse_in_vain(tiny_network(), smooth, None)
