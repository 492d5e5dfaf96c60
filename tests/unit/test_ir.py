"""Weights that are not numbers, found in a model and in its files; names for operations that have none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from runner.errors import StageError
from runner.model import ir
from runner.model.parts import IR, Model

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
    ov.save_model(ov.Model([op.result(product)], [x]), folder / IR, compress_to_fp16=False)
    return folder / IR


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("at", [(0, 0), (ROWS - 1, COLUMNS - 1)])
@pytest.mark.parametrize("value", [np.nan, -np.nan])
def test_a_weight_that_is_not_a_number_is_found(kind: Any, at: tuple[int, int], value: float, tmp_path: Path) -> None:
    path = saved(tmp_path, kind, value, at)
    with pytest.raises(StageError, match="the-weights"):
        ir.refuse_nan_in_file(path)
    with pytest.raises(StageError, match="the-weights"):
        ir.refuse_nan(Model.of(tmp_path).read())


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("value", [np.inf, -np.inf, -0.0, 65504.0, 6e-8])
def test_infinities_and_extremes_are_numbers(kind: Any, value: float, tmp_path: Path) -> None:
    path = saved(tmp_path, kind, value, (ROWS - 1, COLUMNS - 1))
    ir.refuse_nan_in_file(path)
    ir.refuse_nan(Model.of(tmp_path).read())


def body(name: str) -> Any:
    """A model that adds, whose sum alone has a name, and its input."""
    import openvino as ov
    from openvino import opset13 as op

    x = op.parameter([2], np.float32)
    return ov.Model([op.add(x, op.constant(np.ones(2, np.float32)), name=name)], [x]), x


def names_after_numbering(made_before: int) -> list[tuple[str, list[str]]]:
    """Type and names of the operations of a model with a condition, made by a process that had made so many before."""
    import openvino as ov
    from openvino import opset13 as op

    for _ in range(made_before):
        op.constant(0)
    (then, x1), (other, x2) = body("then"), body("otherwise")
    x = op.parameter([2], np.float32, name="Constant_1")
    choice = op.if_op(op.constant(True))
    choice.set_then_body(then)
    choice.set_else_body(other)
    choice.set_input(x.output(0), x1, x2)
    answer = choice.set_output(then.results[0], other.results[0])
    model = ov.Model([op.add(op.add(answer, op.constant(np.float32(1))), op.constant(np.float32(2)))], [x])
    ir.number_names(model)
    bodies = [("then", then), ("else", other), ("model", model)]
    return [(where, sorted(node.get_friendly_name() for node in each.get_ops())) for where, each in bodies]


def test_names_follow_from_the_graph_alone() -> None:
    """A given name stays and is given to nothing else, in the bodies of a condition too."""
    names = names_after_numbering(made_before=0)
    assert names == names_after_numbering(made_before=97)
    everywhere = [name for _, some in names for name in some]
    assert {"then", "otherwise", "Constant_0", "Constant_1", "Constant_2"} < set(everywhere)
    assert len(everywhere) == len(set(everywhere))
