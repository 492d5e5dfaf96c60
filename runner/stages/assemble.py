"""Assemble: a model's parts that were compressed each by itself, and all else that belongs to the model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import runner.base.files as fs
from runner.base.progress import Progress
from runner.model.parts import Model
from runner.stages import Build, Task

REVISION = 1


@dataclass(frozen=True)
class Params:
    """The names of the parts that come from stages of their own."""

    parts: tuple[str, ...]


def plan(build: Build, model: str, parts: Mapping[str, str]) -> str:
    """The stage that puts them together.

    Args:
        model: key of the model that has all other parts, and the rest.
        parts: name of a part -> key of the stage that compressed it.
    """
    after = {"model": model, **{_role(part): key for part, key in parts.items()}}
    return build.add("assemble", "assemble", "parts", Params(tuple(parts)), after=after)


def _role(part: str) -> str:
    return f"part {part}"


def libraries(params: Params) -> tuple[str, ...]:
    """None: files are only put together."""
    return ()


def prepare(params: Params) -> None:
    """Nothing to import."""


def run(task: Task[Params], progress: Progress) -> dict[str, object]:
    """Fill `task.out` with the whole model."""
    for part in task.params.parts:
        fs.link_tree(task.inputs[_role(part)], task.out)
    Model.of(task.inputs["model"]).take_rest(task.out, task.params.parts)
    return {}
