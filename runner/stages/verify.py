"""Verify: load the finished folder as its users will, and use it once as its task says."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from runner.base.progress import Progress
from runner.registry.exporters import OPTIMUM
from runner.registry.tasks import TASKS, WRITING, family_of
from runner.stages import Build, Task

REVISION = 3


@dataclass(frozen=True)
class Params:
    """What the model is for.

    Attributes:
        family: of tasks.
        revision: its own.
    """

    family: str
    revision: int


def plan(build: Build, model: str) -> str:
    """The stage for the finished model of key `model`."""
    family = family_of(build.located.task)
    return build.add("verify", "verify", "", Params(family.name, family.revision), after={"model": model})


def libraries(params: Params) -> tuple[str, ...]:
    """The task's own: what loads the model."""
    return TASKS[params.family].versions


def template(params: Params) -> str | None:
    """The classes of Optimum Intel that write need what its exporter needs."""
    return OPTIMUM if libraries(params) == WRITING else None


def prepare(params: Params) -> None:
    """Import what loads the model; a class of Optimum Intel as its exporter is: that takes two thirds of the time."""
    from runner.export.imports import import_exporter
    from runner.model import trial

    if template(params):
        import_exporter()
    trial.import_for(libraries(params))


def run(task: Task[Params], progress: Progress) -> dict[str, object]:
    """Tell what was loaded and what came out."""
    return asdict(TASKS[task.params.family].use(task.inputs["model"]))
