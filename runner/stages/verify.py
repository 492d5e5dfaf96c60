"""Verify: load the finished folder as its users will, and generate or infer once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from runner.base.progress import Progress
from runner.stages import Task

REVISION = 2


def libraries(params: Mapping[str, Any]) -> tuple[str, ...]:
    """What loads the model."""
    return ("openvino", "openvino-genai")


def prepare(params: Mapping[str, Any]) -> None:
    """Import what loads the model."""
    from runner.model import runtime as inference

    inference.import_runtimes()


def run(task: Task, progress: Progress) -> dict[str, Any]:
    """Tell what was loaded and what came out."""
    from runner.model.smoke import smoke

    return smoke(task.inputs["model"])
