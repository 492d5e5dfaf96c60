"""Predict: what a model gives for each row of a dataset, kept for all measures of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from runner.base import hardware
from runner.base.progress import Progress
from runner.recipe.datasets import kinds, narrowed
from runner.recipe.types import Dataset
from runner.registry.exporters import OPTIMUM
from runner.registry.predicting import ARRAYS, Predicts, fitting
from runner.registry.tasks import TASKS, family_of
from runner.stages import Build, Task

if TYPE_CHECKING:
    from runner.metrics.predicting import Given

REVISION = 2


@dataclass(frozen=True)
class Params:
    """What is asked for, and how.

    Attributes:
        gives: what is kept of each row.
        family: of tasks; empty for arrays, which feed the models of all alike.
        roles: of the columns that feed the model.
        revision: of what predicts.
        settings: of a check, those that shape what is kept.
        runtime: OpenVINO properties.
        cpu: what shapes numbers in this processor.
    """

    gives: str
    family: str
    roles: tuple[str, ...]
    revision: int
    settings: Mapping[str, object]
    runtime: Mapping[str, object]
    cpu: tuple[str, ...]


def possible(task: str | None, gives: str, dataset: Dataset) -> Predicts | None:
    """How a dataset feeds a model of a task so that it gives that; None if it doesn't."""
    return fitting(family_of(task).predicts, gives, kinds(dataset))


def plan(
    build: Build, gives: str, name: str, settings: Mapping[str, object], section: str, model: str, role: str = "model"
) -> str:
    """The stage for what the model of key `model` gives for the rows of a dataset.

    Args:
        gives: what is to be kept, which the dataset has to make possible.
        name: of the dataset.
        settings: of a check; those that don't shape what is kept are left out.
        role: `reference` for the model that others are compared with.
    """
    dataset, task = build.recipe.datasets[name], build.located.task
    found = possible(task, gives, dataset)
    assert found is not None
    of_arrays = ARRAYS in found.needs
    data = narrowed(dataset, found.roles)
    roles = tuple(role for role in found.roles if role in kinds(data))
    params = Params(
        gives,
        "" if of_arrays else family_of(task).name,
        roles,
        found.revision,
        {key: settings.get(key, default) for key, default in found.settings.items()},
        dict(build.recipe.accuracy.runtime),
        tuple(hardware.arithmetic()),
    )
    label = f"predict {gives} on {name}{' (reference)' if role == 'reference' else ''}"
    return build.add("predict", label, section, params, after={"model": model}, datasets={"data": data})


def _asked(params: Params) -> Predicts:
    """What predicts."""
    found = fitting(TASKS[params.family].predicts if params.family else (), params.gives, params.roles)
    assert found is not None
    return found


def libraries(params: Params) -> tuple[str, ...]:
    """Those of what predicts, and the package that declares the task."""
    task = TASKS[params.family] if params.family else None
    return (*_asked(params).libraries, *([task.distribution] if task and task.distribution else []))


def template(params: Params) -> str | None:
    """The classes of Optimum Intel need what its exporter needs."""
    return OPTIMUM if _asked(params).optimum else None


def prepare(params: Params) -> None:
    """Import the runtimes and what predicts."""
    from runner.metrics.predicting import predictor
    from runner.model import runtime

    runtime.import_runtimes()
    if template(params):
        from runner.export.imports import import_exporter
        from runner.model import trial

        import_exporter()
        trial.import_for(libraries(params))
    predictor(_asked(params).module)


def run(task: Task[Params], progress: Progress) -> dict[str, object]:
    """Fill `task.out` with a value for each row."""
    from runner.metrics.keeping import Keeping
    from runner.metrics.predicting import Asked, predictor
    from runner.model.runtime import refuse_other_cpu

    params = task.params
    refuse_other_cpu(params.cpu)
    asked = Asked(params.gives, task.inputs["model"], task.datasets["data"], params.settings, params.runtime)
    given = predictor(_asked(params).module).predict(asked)
    keep = Keeping(task.out, params.gives, classes=given.classes, output=given.output, extra=given.extra)
    with keep as keeping:
        for values, extra in given.batches:
            keeping.add(values, **extra)
            progress(keeping.count, given.rows)
        keeping.finish(given.rows, given.protocol)
    return {"rows": given.rows, "warnings": list(_warnings(task.datasets["data"].name, given))}


def _warnings(dataset: str, given: Given) -> Iterator[str]:
    """What a person should know of what was given."""
    if cut := given.protocol.get("replies_cut"):
        limit = given.protocol["max_new_tokens"]
        told = f"{dataset}: {cut:,} of {given.rows:,} replies were cut at {limit:,} tokens"
        yield f"{told}; `max_new_tokens` of the check gives them more room"
