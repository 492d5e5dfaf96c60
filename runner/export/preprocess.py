"""Steps that are built into a model before its inputs, by openvino.preprocess."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from runner.errors import Problem, RecipeError
from runner.export.damage import reason_of
from runner.export.reshape import inputs_of
from runner.model.inputs import Input, model_layout, named, needs_layout, preprocess_misfits
from runner.recipe.conversion import InputSteps

if TYPE_CHECKING:
    import openvino as ov
    from openvino.preprocess import InputInfo, PreProcessSteps

_SECTION = "preprocess"


def build_in(model: ov.Model, preprocess: Mapping[str, InputSteps]) -> ov.Model:
    """The model with steps before its inputs. Those keep their names and their order.

    Args:
        model: is changed.
        preprocess: name of an input -> its steps.

    Raises:
        RecipeError: they don't fit the model.
    """
    from openvino.preprocess import PrePostProcessor

    inputs = inputs_of(model)
    if wrong := list(preprocess_misfits(preprocess, inputs)):
        raise RecipeError([Problem("", f"{_SECTION}.{one.key}", *one[1:]) for one in wrong])
    processor = PrePostProcessor(model)
    for name, steps in preprocess.items():
        one = named(name, inputs)
        assert one is not None
        _put(processor.input(inputs.index(one)), steps, one)
    try:
        return processor.build()
    except RuntimeError as error:
        what = f"OpenVINO can't put it before {', '.join(preprocess)}: {reason_of(error)}"
        raise RecipeError([Problem("", _SECTION, what)]) from error


def _put(info: InputInfo, steps: InputSteps, one: Input) -> None:
    """Say what the input takes then, and what becomes of it."""
    import openvino as ov
    from openvino.preprocess import ColorFormat

    layout = model_layout(steps, one)
    if needs_layout(steps) and layout:
        info.model().set_layout(ov.Layout(layout))
        info.tensor().set_layout(ov.Layout(steps.layout or layout))
    if steps.element_type:
        info.tensor().set_element_type(getattr(ov.Type, steps.element_type))
    if steps.color_format:
        info.tensor().set_color_format(getattr(ColorFormat, steps.color_format[0]))
    if steps.resize and steps.resize.source:
        info.tensor().set_spatial_static_shape(*steps.resize.source)
    elif steps.resize:
        info.tensor().set_spatial_dynamic_shape()
    _compute(info.preprocess(), steps)


def _compute(wanted: PreProcessSteps, steps: InputSteps) -> None:
    """Arithmetic in f32; what the model takes itself is made of that at the end. Pillow resizes bytes as bytes."""
    import openvino as ov
    from openvino.preprocess import ColorFormat, ResizeAlgorithm

    as_bytes = bool(steps.resize and steps.resize.algorithm.endswith("_pillow") and steps.element_type == "u8")
    if not as_bytes and (steps.color_format or steps.resize or steps.mean or steps.scale):
        wanted.convert_element_type(ov.Type.f32)
    if steps.color_format:
        wanted.convert_color(getattr(ColorFormat, steps.color_format[1]))
    if steps.resize:
        wanted.resize(getattr(ResizeAlgorithm, f"RESIZE_{steps.resize.algorithm.upper()}"), *(steps.resize.to or ()))
    if as_bytes:
        wanted.convert_element_type(ov.Type.f32)
    for values, step in ((steps.mean, wanted.mean), (steps.scale, wanted.scale)):
        if values:
            step(list(values) if len(values) > 1 else values[0])
