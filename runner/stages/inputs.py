"""Inputs: the converted model takes what the recipe says, by steps that are built in before its own inputs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from runner.base.progress import Progress
from runner.recipe.conversion import InputSteps
from runner.stages import Build, Task

REVISION = 1


@dataclass(frozen=True)
class Params:
    """What becomes of the inputs.

    Attributes:
        preprocess: name of an input -> the steps before it.
    """

    preprocess: Mapping[str, InputSteps]


def plan(build: Build, converted: str) -> str:
    """The stage for the converted model of key `converted`; that key itself where the recipe leaves inputs alone."""
    preprocess = build.recipe.conversion.preprocess
    if not preprocess:
        return converted
    return build.add("inputs", "set the inputs", "conversion", Params(preprocess), after={"model": converted})


def libraries(params: Params) -> tuple[str, ...]:
    """What builds the steps in."""
    return ("openvino",)


def prepare(params: Params) -> None:
    """Import OpenVINO and its steps."""
    import openvino.preprocess  # noqa: F401


def run(task: Task[Params], progress: Progress) -> dict[str, object]:
    """Fill `task.out` with the model and all that belongs to it; tell what its inputs take."""
    from runner.export.preprocess import build_in, taken
    from runner.model.parts import Model

    whole = Model.of(task.inputs["model"])
    model = build_in(whole.read(), task.params.preprocess)
    whole.write(model, task.out)
    whole.take_rest(task.out)
    return {"notes": taken(model, task.params.preprocess)}
