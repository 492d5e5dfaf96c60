"""What an ignored scope names and a model does not have is refused before any work."""

from __future__ import annotations

from typing import Any

import numpy as np
import openvino as ov
import pytest
from openvino import opset13 as op

from runner.errors import RecipeError
from runner.nncf.process import refuse_unmatched
from runner.recipe.types import IgnoredScope


@pytest.fixture(scope="module")
def model() -> Any:
    x = op.parameter([1, 4], np.float32, name="x")
    first = op.matmul(x, op.constant(np.ones((4, 4), np.float32)), False, True, name="layers.0.linear")
    return ov.Model([op.result(op.relu(first, name="layers.0.relu"))], [x], "tiny")


def scope(**given: Any) -> IgnoredScope:
    return IgnoredScope(**given)


def test_each_name_and_pattern_that_matches_nothing_is_told(model: Any) -> None:
    with pytest.raises(RecipeError) as caught:
        refuse_unmatched(scope(names=["layers.0.linaer", "layers.0.relu"], patterns=["head.*", ".*relu"]), model)
    name, pattern = caught.value.problems
    assert (name.key, name.suggestion) == ("ignored_scope.names", "layers.0.linear")
    assert pattern.key == "ignored_scope.patterns" and '"head.*"' in pattern.what


@pytest.mark.parametrize("given", [None, scope(names=["layers.0.linear"]), scope(names=["no"], validate=False)])
def test_what_is_there_or_need_not_be_passes(given: dict[str, Any] | None, model: Any) -> None:
    refuse_unmatched(given, model)
