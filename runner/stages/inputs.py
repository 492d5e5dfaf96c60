"""Inputs: the converted model takes what the recipe says, in shapes and by steps that are built in before its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from runner.base.progress import Progress
from runner.recipe.conversion import InputSteps, Shape
from runner.stages import Build, Task

REVISION = 1


@dataclass(frozen=True)
class Params:
    """What becomes of the inputs.

    Attributes:
        shapes: name of an input -> its shape.
        preprocess: name of an input -> the steps before it.
    """

    shapes: Mapping[str, Shape]
    preprocess: Mapping[str, InputSteps]


def plan(build: Build, converted: str) -> str:
    """The stage for the converted model of key `converted`; that key itself where the recipe leaves inputs alone."""
    said = build.recipe.conversion
    if not said.shapes and not said.preprocess:
        return converted
    params = Params(said.shapes, said.preprocess)
    return build.add("inputs", "set the inputs", "conversion", params, after={"model": converted})


def libraries(params: Params) -> tuple[str, ...]:
    """What builds the steps in."""
    return ("openvino",)


def prepare(params: Params) -> None:
    """Import OpenVINO and its steps."""
    import openvino.preprocess  # noqa: F401


def run(task: Task[Params], progress: Progress) -> dict[str, object]:
    """Fill `task.out` with the model and all that belongs to it; tell what its inputs take."""
    from runner.export.preprocess import build_in
    from runner.export.reshape import reshape, taken
    from runner.model.parts import Model

    whole = Model.of(task.inputs["model"])
    model = whole.read()
    reshape(model, task.params.shapes)
    model = build_in(model, task.params.preprocess)
    whole.write(model, task.out)
    whole.take_rest(task.out)
    return {"notes": taken(model, task.params.shapes, task.params.preprocess)}
