"""Weights that lie inputs first, as GPT-2 keeps them: turned for the methods that would fail on them, or harm them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import openvino as ov
import pytest
from openvino import opset13 as op

from runner.model.layout import outputs_first
from tests.conftest import Ovrun


def test_a_turned_model_computes_the_same() -> None:
    rng = np.random.default_rng(0)
    x = op.parameter([-1, 8], np.float32)
    half = op.convert(op.constant(rng.standard_normal((8, 12)).astype(np.float16)), "f32")
    shared = op.constant(rng.standard_normal((12, 12)).astype(np.float32))
    y = op.matmul(op.matmul(x, half, False, False), shared, False, False)
    z = op.matmul(op.matmul(y, shared, False, False), op.constant(np.eye(12, dtype=np.float32)), False, True)
    model = ov.Model([op.result(z)], [x], "linear")
    data = rng.standard_normal((3, 8)).astype(np.float32)
    before = ov.compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})(data)[0]
    assert outputs_first(model) == 1  # the shared weights stay, and the last ones lie outputs first already
    assert outputs_first(model) == 0
    after = ov.compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})(data)[0]
    np.testing.assert_allclose(after, before, rtol=1e-5)
    assert {tuple(node.shape) for node in model.get_ops() if node.get_type_name() == "Constant"} == {(12, 8), (12, 12)}


@pytest.mark.parametrize("method", ["scale_estimation", "gptq"])
def test_a_method_that_needs_them_turned_keeps_the_model(
    method: str, shared: Path, published: Callable[..., Path], ovrun: Ovrun
) -> None:
    published("dialogpt-mini-int4")
    words = (f"compression.{method}=true", "compression.dataset=dialogue_train", "compression.subset_size=16")
    checks = "accuracy.checks=[{metric: kl_divergence, dataset: dialogue_eval, max: 0.005}]"
    name = f"name=mini-{method.replace('_', '-')}"
    done = ovrun("optimize", "dialogpt-mini-int4", *words, checks, name, "--outputs", shared, "--json")
    (check,) = json.loads(done.stdout)["checks"]
    assert check["value"] < 0.005
