"""Hybrid quantization: weights of matrix multiplications and embeddings are compressed, and all else is quantized.

Optimum Intel does so with what removes noise in a pipeline of diffusers: layers with compressed weights go on computing
in floats, and convolutions get weights and activations in 8 bits.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from types import ModuleType
from typing import TYPE_CHECKING

from runner.base.values import section
from runner.errors import Problem, RecipeError
from runner.model import ir
from runner.nncf import weights
from runner.recipe.types import IgnoredScope, Quantization, WeightCompression

if TYPE_CHECKING:
    import openvino as ov

_CONVOLUTIONS = ("Convolution", "ConvolutionBackpropData", "GroupConvolution", "GroupConvolutionBackpropData")
_BETWEEN = ("Convert", "FakeQuantize", "Reshape")
"""Operations between a weight and what computes with it, before it is compressed."""
_INPUTS = {"MatMul": (0, 1), "Gather": (0,)}
"""Operation -> the inputs that can be its weights."""
_FLOATS = ("f16", "f32", "f64")


def compress(nncf: ModuleType, step: Quantization, model: ov.Model) -> Quantization:
    """Compress the weights of matrix multiplications and embeddings in place.

    Returns:
        The step that quantizes the rest.

    Raises:
        RecipeError: the model has no such weights, or none are left to compress.
    """
    names = tuple(weighted(model))
    if not names:
        what = "no matrix multiplication and no embedding of the model has weights"
        raise RecipeError([Problem("", "hybrid", what, "remove it, and all is quantized")])
    there, own = ir.kinds(model), step.ignored_scope or IgnoredScope()
    convolutions = tuple(kind for kind in _CONVOLUTIONS if kind in there)
    first = WeightCompression(str(step.hybrid), ignored_scope=replace(own, types=(*own.types, *convolutions)))
    before = ir.constants(model)
    nncf.compress_weights(model, **weights.arguments(nncf, first, {}))
    if ir.constants(model).keys() <= before.keys():
        what = f"no layer took {step.hybrid} weights"
        raise RecipeError([Problem("", "hybrid", what, "the ignored scope leaves nothing to compress")])
    advanced = step.advanced or {}
    unsmoothed = {"smooth_quant_alphas": {**section(advanced, "smooth_quant_alphas"), "matmul": -1}}
    scope = replace(own, names=(*own.names, *(name for name in names if name not in own.names)))
    return replace(step, ignored_scope=scope, advanced={**advanced, **unsmoothed})


def weighted(model: ov.Model) -> Iterator[str]:
    """The names of the matrix multiplications and embeddings that have weights."""
    for node in model.get_ops():
        inputs = _INPUTS.get(node.get_type_name(), ())
        if any(_is_weight(node.input_value(index).get_node()) for index in inputs):
            yield node.get_friendly_name()


def _is_weight(node: ov.Node) -> bool:
    while node.get_type_name() in _BETWEEN:
        node = node.input_value(0).get_node()
    return node.get_type_name() == "Constant" and node.get_element_type().get_type_name() in _FLOATS
