"""Reference: the outputs of the uncompressed model on a dataset, once for all models that are held against it."""

from __future__ import annotations

from runner.base.progress import Progress
from runner.metrics import measuring
from runner.recipe.types import Dataset
from runner.registry.metrics import FAMILIES
from runner.stages import Build, Task
from runner.stages.evaluate import Params, libraries, prepare

__all__ = ["Params", "libraries", "plan", "prepare", "run"]

REVISION = 1


def plan(build: Build, what: str, section: str, params: Params, data: Dataset, converted: str) -> str:
    """The stage for what is measured on one dataset, of the uncompressed model of key `converted`."""
    label = f"reference for {what}"
    return build.add("reference", label, section, params, after={"model": converted}, datasets={"data": data})


def run(task: Task[Params], progress: Progress) -> dict[str, object]:
    """Fill `task.out` with the outputs, in the metric family's own form."""
    from runner.model.runtime import refuse_other_cpu

    params = task.params
    refuse_other_cpu(params.cpu)
    family = measuring(FAMILIES[params.family])
    family.reference(task.inputs["model"], task.datasets["data"], params.params, params.runtime, task.out, progress)
    return {}
