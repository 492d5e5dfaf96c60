"""The inputs of a model: which there are, and the shapes that a recipe gives them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from runner.errors import Problem, RecipeError
from runner.export.damage import reason_of
from runner.model.inputs import Input, named, needs_layout, shape_misfits
from runner.recipe.conversion import InputSteps, Shape, Span, shown

if TYPE_CHECKING:
    import openvino as ov

_SECTION = "shapes"


def inputs_of(model: ov.Model) -> list[Input]:
    """The inputs of a model, in its order."""
    return [_input(port) for port in model.inputs]


def _input(port: ov.Output) -> Input:
    names = frozenset(port.get_names())
    shape = port.get_partial_shape()
    sizes = tuple(_span(size) for size in shape) if shape.rank.is_static else None
    return Input(min(names) if names else port.get_node().get_friendly_name(), sizes, names)


def _span(size: ov.Dimension) -> Span:
    most = size.get_max_length()
    return size.get_min_length(), None if most < 0 else most


def reshape(model: ov.Model, shapes: Mapping[str, Shape]) -> None:
    """Give inputs other shapes.

    Args:
        model: is changed.
        shapes: name of an input -> its shape.

    Raises:
        RecipeError: the model can't take them.
    """
    import openvino as ov

    inputs = inputs_of(model)
    if wrong := list(shape_misfits(shapes, inputs)):
        raise RecipeError([Problem("", f"{_SECTION}.{one.key}", *one[1:]) for one in wrong])
    wanted = {}
    for name, sizes in shapes.items():
        one = named(name, inputs)
        assert one is not None
        spans = [ov.Dimension(least, -1 if most is None else most) for least, most in sizes]
        wanted[inputs.index(one)] = ov.PartialShape(spans)
    try:
        model.reshape(wanted)
    except RuntimeError as error:
        told = ", ".join(f"{name} {shown(sizes)}" for name, sizes in shapes.items())
        raise RecipeError([Problem("", _SECTION, f"the model can't take {told}: {reason_of(error)}")]) from error


def taken(model: ov.Model, shapes: Mapping[str, Shape], preprocess: Mapping[str, InputSteps]) -> list[str]:
    """A sentence on each input that was changed: what it takes now, and what the model does to it."""
    inputs = inputs_of(model)
    found = []
    for one in inputs:
        said = {id(named(name, inputs)): steps for name, steps in {**dict.fromkeys(shapes), **preprocess}.items()}
        if id(one) in said:
            kind = model.input(inputs.index(one)).get_element_type().get_type_name()
            found.append(f"the input {one} takes {kind}{_done(one, said[id(one)])}")
    return found


def _done(one: Input, steps: InputSteps | None) -> str:
    if steps is None:
        return ""
    layout = f", layout {steps.layout or one.layout}" if needs_layout(steps) else ""
    done = [key for key in ("color_format", "resize", "mean", "scale") if getattr(steps, key)]
    return layout + (f"; the model itself does {', '.join(done)}" if done else "")
