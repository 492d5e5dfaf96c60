"""Weights that are not numbers, found in a model and in its files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from runner import ir
from runner.errors import StageError

TYPES = (np.float16, np.float32, np.float64)
ROWS, COLUMNS = 700, 1000  # more than one piece of the file in every type


def saved(folder: Path, kind: Any, value: float, at: tuple[int, int]) -> Path:
    """A linear layer with one weight of that value."""
    import openvino as ov
    from openvino import opset13 as op

    weights = np.ones((ROWS, COLUMNS), kind)
    weights[at] = value
    x = op.parameter([1, COLUMNS], kind)
    product = op.matmul(x, op.constant(weights, name="the-weights"), False, True)
    ov.save_model(ov.Model([op.result(product)], [x]), folder / ir.MODEL, compress_to_fp16=False)
    return folder / ir.MODEL


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("at", [(0, 0), (ROWS - 1, COLUMNS - 1)])
@pytest.mark.parametrize("value", [np.nan, -np.nan])
def test_a_weight_that_is_not_a_number_is_found(kind: Any, at: tuple[int, int], value: float, tmp_path: Path) -> None:
    path = saved(tmp_path, kind, value, at)
    with pytest.raises(StageError, match="the-weights"):
        ir.refuse_nan_in_file(path)
    with pytest.raises(StageError, match="the-weights"):
        ir.refuse_nan(ir.read(tmp_path))


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("value", [np.inf, -np.inf, -0.0, 65504.0, 6e-8])
def test_infinities_and_extremes_are_numbers(kind: Any, value: float, tmp_path: Path) -> None:
    path = saved(tmp_path, kind, value, (ROWS - 1, COLUMNS - 1))
    ir.refuse_nan_in_file(path)
    ir.refuse_nan(ir.read(tmp_path))
