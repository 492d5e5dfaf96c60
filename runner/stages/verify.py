"""Verify: load the finished folder as its users will, and use it once as its task says."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace

from runner.base.progress import Progress
from runner.registry.exporters import OPTIMUM
from runner.registry.tasks import TASKS, WRITING, family_of
from runner.sources import apart
from runner.sources.adapter import WEIGHTS
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


@dataclass(frozen=True)
class WithAdapter(Params):
    """A model that an adapter lies beside.

    Attributes:
        alpha: how strong it is, as OpenVINO GenAI is told.
    """

    alpha: float


def plan(build: Build, model: str) -> str:
    """The stage for the finished model of key `model`."""
    family, adapter = family_of(build.located.task), build.located.adapter
    params = Params(family.name, family.revision)
    if adapter and not adapter.merge:
        params = WithAdapter(family.name, family.revision, apart.alpha(adapter.settings))
    return build.add("verify", "verify", "", params, after={"model": model})


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
    used = TASKS[task.params.family].use(task.inputs["model"])
    if isinstance(task.params, WithAdapter):
        from runner.model.generation import adapted

        path = task.inputs["model"] / WEIGHTS
        used = replace(used, ran=f"{used.ran}; {adapted(task.inputs['model'], path, task.params.alpha)}")
    return asdict(used)
