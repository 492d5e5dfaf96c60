"""Predict: what a model gives for each row of a dataset, kept for all measures of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from runner.base import hardware
from runner.base.progress import Progress
from runner.errors import Problem, RecipeError
from runner.metrics.predicting import Rows
from runner.recipe.datasets import kinds, narrowed
from runner.recipe.types import Dataset
from runner.registry.exporters import OPTIMUM
from runner.registry.metrics import family_of as metric_family
from runner.registry.predicting import ARRAYS, SEED, Predicts, fitting, not_given
from runner.registry.tasks import family_of
from runner.stages import Build, Task

if TYPE_CHECKING:
    from runner.metrics.predicting import Given

REVISION = 2


@dataclass(frozen=True)
class Params(Rows):
    """What is asked for, and how.

    Attributes:
        runtime: OpenVINO properties.
        cpu: what shapes numbers in this processor.
    """

    runtime: Mapping[str, object]
    cpu: tuple[str, ...]


def possible(task: str | None, gives: str, dataset: Dataset) -> Predicts | None:
    """How a dataset feeds a model of a task so that it gives that; None if it doesn't."""
    return fitting(family_of(task).predicts, gives, kinds(dataset))


def first(task: str | None, rows: Iterable[str], dataset: Dataset) -> str | None:
    """The first of some that a model of a task gives for a dataset; None if it gives none of them."""
    return next((one for one in rows if possible(task, one, dataset)), None)


def given(build: Build, metric: str, name: str, section: str) -> str:
    """What a metric is measured on that the model gives for a dataset.

    Args:
        section: the recipe's key of what names the metric.

    Raises:
        RecipeError: the model gives none of it.
    """
    task, dataset, taken = build.located.task, build.recipe.datasets[name], metric_family(metric).rows
    found = next((one for one in taken if possible(task, one, dataset)), None)
    if found is None:
        key = f"{section}.metric"
        told = not_given(metric, taken, name, task, family_of(task).predicts)
        raise RecipeError([Problem(build.recipe.where(key), key, *told)])
    return found


def rows(task: str | None, gives: str, dataset: Dataset, settings: Mapping[str, object]) -> Rows:
    """What is kept of the rows of a dataset, which has to make that possible.

    Args:
        settings: of a check; those that don't shape what is kept are left out.
    """
    found = possible(task, gives, dataset)
    assert found is not None
    family = "" if ARRAYS in found.needs else family_of(task).name
    there = kinds(narrowed(dataset, found.roles))
    own = {key: settings.get(key, default) for key, default in found.settings.items()}
    return Rows(gives, family, tuple(role for role in found.roles if role in there), found.revision, own)


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
    dataset = build.recipe.datasets[name]
    wanted = rows(build.located.task, gives, dataset, {**settings, SEED: build.recipe.seed})
    data = narrowed(dataset, wanted.way.roles)
    params = Params(**vars(wanted), runtime=dict(build.recipe.accuracy.runtime), cpu=tuple(hardware.arithmetic()))
    label = f"predict {gives} on {name}{' (reference)' if role == 'reference' else ''}"
    return build.add("predict", label, section, params, after={"model": model}, datasets={"data": data})


def libraries(params: Params) -> tuple[str, ...]:
    """Those of what predicts, and the package that declares the task."""
    return params.libraries


def template(params: Params) -> str | None:
    """The classes of Optimum Intel need what its exporter needs, but for pipelines, which need diffusers too."""
    return OPTIMUM if params.way.optimum else None


def prepare(params: Params) -> None:
    """Import the runtimes and what predicts."""
    from runner.metrics.predicting import predictor
    from runner.model import runtime, trial

    runtime.import_runtimes()
    if template(params):
        from runner.export.imports import import_exporter

        import_exporter()
    trial.import_for(libraries(params))
    predictor(params.way.module)


def run(task: Task[Params], progress: Progress) -> dict[str, object]:
    """Fill `task.out` with a value for each row."""
    from runner.metrics.keeping import keep
    from runner.metrics.predicting import Asked, predictor
    from runner.model.runtime import refuse_other_cpu

    params = task.params
    refuse_other_cpu(params.cpu)
    asked = Asked(params.gives, task.inputs["model"], task.datasets["data"], params.settings, params.runtime)
    given = predictor(params.way.module).predict(asked)
    keep(params.gives, given, task.out, progress)
    return {"rows": given.rows, "warnings": list(_warnings(task.datasets["data"].name, given))}


def _warnings(dataset: str, given: Given) -> Iterator[str]:
    """What a person should know of what was given."""
    if cut := given.protocol.get("replies_cut"):
        limit = given.protocol["max_new_tokens"]
        told = f"{dataset}: {cut:,} of {given.rows:,} replies were cut at {limit:,} tokens"
        yield f"{told}; `max_new_tokens` of the check gives them more room"
    if plain := given.protocol.get("images_of_one_colour"):
        yield f"{dataset}: {plain:,} of {given.rows:,} images are of one colour"
