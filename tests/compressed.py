"""What is in a compressed model: its integer weights, and what goes into its layers."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from runner.model import ir
from runner.model.parts import Model


def compressed(folder: Path) -> list[tuple[str, tuple[int, ...], str]]:
    """Type, shape and digest of every integer weight of a model and of its scales, in the order of the graph."""
    found = []
    for node in Model.of(folder).read().get_ordered_ops():
        if node.get_type_name() == "Constant" and _is_weight(node):
            data = hashlib.sha256(node.get_data().tobytes()).hexdigest()
            found.append((node.get_element_type().get_type_name(), tuple(node.get_output_shape(0)), data))
    return sorted(found)


def _is_weight(node: Any) -> bool:
    kind = node.get_element_type().get_type_name()
    return kind in ("i4", "u4", "i8", "u8") and len(node.get_output_shape(0)) >= 2


def weight_types(whole: Model, part: str) -> set[str]:
    """The types below 16 bits that a part's constants have."""
    return set(ir.constants(whole.read(part))) & {"i4", "u4", "i8", "u8"}


def types_of_layers(model: Any) -> dict[str, list[str]]:
    """Layer -> what goes into it: the element type of its weights, or how an activation is quantized."""
    found = {}
    for node in model.get_ops():
        if node.get_type_name() in ("MatMul", "Gather", "ScaledDotProductAttention"):
            inputs = [node.input_value(index).get_node() for index in range(node.get_input_size())]
            found[node.get_friendly_name()] = [_kind_of_input(one) for one in inputs]
    return found


def _kind_of_input(node: Any) -> str:
    if node.get_type_name() == "FakeQuantize":
        return f"{node.get_attributes()['levels']} levels"
    while node.get_type_name() in ("Convert", "Multiply", "Reshape", "Subtract"):
        node = node.input_value(0).get_node()
    return node.get_element_type().get_type_name() if node.get_type_name() == "Constant" else "float"
