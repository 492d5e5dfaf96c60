"""Verify: load the finished folder as its users will, and generate or infer once."""

from __future__ import annotations

from typing import Any

from runner.base.progress import Progress
from runner.stages import Build, NoParams, Task

REVISION = 2


def plan(build: Build, model: str) -> str:
    """The stage for the finished model of key `model`."""
    return build.add("verify", "verify", "", NoParams(), after={"model": model})


def libraries(params: NoParams) -> tuple[str, ...]:
    """What loads the model."""
    return ("openvino", "openvino-genai")


def prepare(params: NoParams) -> None:
    """Import what loads the model."""
    from runner.model import runtime as inference

    inference.import_runtimes()


def run(task: Task[NoParams], progress: Progress) -> dict[str, Any]:
    """Tell what was loaded and what came out."""
    from runner.model.smoke import smoke

    return smoke(task.inputs["model"])
