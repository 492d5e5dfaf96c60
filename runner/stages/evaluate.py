"""Evaluate: the metrics of one family, for one model on one dataset.

A metric that is a function is measured on what the stage `predict` kept of the model's rows and of the reference's; it
runs no model. Other families run the model themselves.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from runner.base import hardware
from runner.base.progress import Progress
from runner.metrics import measuring
from runner.recipe.accuracy import Check
from runner.recipe.datasets import narrowed
from runner.recipe.types import Dataset
from runner.registry.metric_settings import ENCODER
from runner.registry.metrics import FAMILIES, METRICS, Family, family_of, settings
from runner.stages import Build, Task, encode, predict

REVISION = 1
ROWS = "rows.npz"
"""The statistics of each row: `model`, `reference` (empty where it has none), and `numbers`, which rows they are."""


@dataclass(frozen=True)
class Params:
    """What is measured, and how.

    Attributes:
        family: of metrics.
        family_revision: of what measures it.
        params: a check's settings.
        runtime: OpenVINO properties; none where no model runs.
        cpu: what shapes numbers in this processor.
    """

    family: str
    family_revision: int
    params: Mapping[str, object]
    runtime: Mapping[str, object]
    cpu: tuple[str, ...]


def plan(build: Build, check: Check, section: str, converted: str, model: str) -> tuple[str, str | None]:
    """The stages of a check: the key of the one that measures it, and of the one that measures the reference's value.

    Args:
        converted: key of the uncompressed model.
        model: key of the optimized model.

    Raises:
        RecipeError: the model doesn't give what the metric is measured on.
    """
    from runner.stages import own_metric, reference

    if check.own:
        return own_metric.plan(build, check, check.own, section, {"model": model, "reference": converted}), None
    info, family = METRICS[check.metric], family_of(check.metric)
    what = f"{family.name.replace('_', ' ')} on {check.dataset}"
    if family.function is not None:
        return _plan_pure(build, check, family, section, {"model": model, "reference": converted}), None
    data = narrowed(build.recipe.datasets[check.dataset], info.data)
    runtime = dict(build.recipe.accuracy.runtime)
    params = Params(family.name, family.revision, settings(info, check.params), runtime, tuple(hardware.arithmetic()))
    if family.needs_reference:
        after = {"model": model, "reference": reference.plan(build, what, section, params, data, converted)}
        return _add(build, f"evaluate {what}", section, params, data, after), None
    base: str | None = None
    if check.max_drop is not None or check.max_relative_increase is not None:
        base = _add(build, f"evaluate {what} (reference)", section, params, data, {"model": converted})
    return _add(build, f"evaluate {what}", section, params, data, {"model": model}), base


def _plan_pure(build: Build, check: Check, family: Family, section: str, models: Mapping[str, str]) -> str:
    """A metric of rows that are kept of both models."""
    dataset, given = build.recipe.datasets[check.dataset], settings(METRICS[check.metric], check.params)
    gives = predict.given(build, check.metric, check.dataset, section)
    asked = (gives, check.dataset, given, section)
    after = {role: predict.plan(build, *asked, key, role) for role, key in models.items()}
    if family.encoder:
        path = Path(str(given[ENCODER]))
        after = {role: encode.plan(build, family.encoder, path, section, key, role) for role, key in after.items()}
    own = {name: value for name, value in given.items() if name in family.function_settings}
    params = Params(family.name, family.revision, own, {}, ())
    label = f"evaluate {family.name.replace('_', ' ')} on {check.dataset}"
    data = narrowed(dataset, family.targets, inputs=False) if family.targets else None
    return _add(build, label, section, params, data, after)


def _add(build: Build, label: str, section: str, params: Params, data: Dataset | None, after: Mapping[str, str]) -> str:
    return build.add("evaluate", label, section, params, after=after, datasets={"data": data} if data else {})


def libraries(params: Params) -> tuple[str, ...]:
    """The metric family's own."""
    return FAMILIES[params.family].versions


def prepare(params: Params) -> None:
    """Import the runtimes and what measures the family."""
    family = FAMILIES[params.family]
    if family.function is None:
        from runner.model import runtime

        runtime.import_runtimes()
        measuring(family)


def run(task: Task[Params], progress: Progress) -> dict[str, object]:
    """Measure; of functions of rows the statistics of each stay in `task.out`."""
    params, inputs, family = task.params, task.inputs, FAMILIES[task.params.family]
    if family.function is not None:
        return _measured(task, family)
    from runner.model.runtime import refuse_other_cpu

    refuse_other_cpu(params.cpu)
    data, reference = task.datasets["data"], inputs.get("reference")
    return measuring(family).evaluate(inputs["model"], data, params.params, params.runtime, reference, progress)


def _measured(task: Task[Params], family: Family) -> dict[str, object]:
    import numpy as np

    from runner.metrics.figures import measure, targets_of
    from runner.metrics.kept import Kept

    kept, base = (Kept.read(task.inputs[role]) for role in ("model", "reference"))
    targets, numbers = targets_of(task.datasets["data"], family.targets) if family.targets else ({}, [])
    found = measure(family, kept, base, targets, task.params.params, numbers=numbers)
    base_rows = np.empty((0, 0)) if found.reference is None else found.reference
    places = np.asarray(numbers or range(kept.count))
    np.savez_compressed(task.out / ROWS, model=found.statistics, reference=base_rows, numbers=places)
    return found.result
