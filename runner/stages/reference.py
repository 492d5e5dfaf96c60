"""Reference: the outputs of the uncompressed model on a dataset, once for all models that are held against it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from runner.base.progress import Progress
from runner.metrics import measuring
from runner.registry.metrics import FAMILIES
from runner.stages import Task

REVISION = 1


def libraries(params: Mapping[str, Any]) -> tuple[str, ...]:
    """The metric family's own."""
    return FAMILIES[params["family"]].versions


def prepare(params: Mapping[str, Any]) -> None:
    """Import the runtimes and the metric family."""
    from runner.model import runtime as inference

    inference.import_runtimes()
    measuring(FAMILIES[params["family"]])


def run(task: Task, progress: Progress) -> dict[str, Any]:
    """Fill `task.out` with the outputs, in the metric family's own form."""
    from runner.model.runtime import refuse_other_cpu

    refuse_other_cpu(task.params["cpu"])
    family = measuring(FAMILIES[task.params["family"]])
    family.reference(
        task.inputs["model"], task.datasets["data"], task.params["params"], task.params["runtime"], task.out, progress
    )
    return {}
