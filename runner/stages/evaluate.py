"""Evaluate: the metrics of one family, for one model on one dataset."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from runner.base import hardware
from runner.base.progress import Progress
from runner.metrics import measuring
from runner.recipe.accuracy import Check
from runner.recipe.datasets import narrowed
from runner.recipe.types import Dataset
from runner.registry.metrics import FAMILIES, METRICS, family_of, settings
from runner.stages import Build, Task

REVISION = 1


@dataclass(frozen=True)
class Params:
    """What is measured, and how.

    Attributes:
        family: of metrics.
        family_revision: of what measures it.
        params: a check's settings.
        runtime: OpenVINO properties.
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
    """
    from runner.stages import reference

    info, family = METRICS[check.metric], family_of(check.metric)
    data = narrowed(build.recipe.datasets[check.dataset], info.data)
    runtime = dict(build.recipe.accuracy.runtime)
    params = Params(family.name, family.revision, settings(info, check.params), runtime, tuple(hardware.arithmetic()))
    what = f"{family.name.replace('_', ' ')} on {check.dataset}"
    if family.needs_reference:
        after = {"model": model, "reference": reference.plan(build, what, section, params, data, converted)}
        return _add(build, f"evaluate {what}", section, params, data, after), None
    base: str | None = None
    if check.max_drop is not None or check.max_relative_increase is not None:
        base = _add(build, f"evaluate {what} (reference)", section, params, data, {"model": converted})
    return _add(build, f"evaluate {what}", section, params, data, {"model": model}), base


def _add(build: Build, label: str, section: str, params: Params, data: Dataset, after: Mapping[str, str]) -> str:
    return build.add("evaluate", label, section, params, after=after, datasets={"data": data})


def libraries(params: Params) -> tuple[str, ...]:
    """The metric family's own."""
    return FAMILIES[params.family].versions


def prepare(params: Params) -> None:
    """Import the runtimes and what measures the family."""
    from runner.model import runtime

    runtime.import_runtimes()
    measuring(FAMILIES[params.family])


def run(task: Task[Params], progress: Progress) -> dict[str, object]:
    """Measure; the result is all that there is to keep."""
    from runner.model.runtime import refuse_other_cpu

    params = task.params
    refuse_other_cpu(params.cpu)
    inputs, data = task.inputs, task.datasets["data"]
    family = measuring(FAMILIES[params.family])
    return family.evaluate(inputs["model"], data, params.params, params.runtime, inputs.get("reference"), progress)
