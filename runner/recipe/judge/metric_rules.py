"""Whether a metric fits the task and the data, and what it takes is installed; what fits is told where it doesn't."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version

from runner.base.values import numeric
from runner.base.words import enumerate_names
from runner.recipe.datasets import kinds
from runner.recipe.judge.wording import Finding
from runner.recipe.origins import KeyPath
from runner.recipe.types import Dataset
from runner.registry import limits, own
from runner.registry.formats import TASK_FILE
from runner.registry.gates import GateKind
from runner.registry.metrics import FAMILIES, Family
from runner.registry.predicting import OF_ARRAYS, fitting, not_searched, wanted
from runner.registry.tasks import ARRAYS, PAST, TaskFamily, family_of

_LATENT = 8
"""Pixels of an image's side for each place of what a pipeline removes noise from."""


def applies(family: Family) -> bool:
    """Whether a family measures what was kept of each row."""
    return family.function is not None


def check(at: KeyPath, family: Family, dataset: Dataset, task: object) -> Iterator[Finding]:
    """What is wrong with a check by a metric of kept rows.

    Args:
        at: of the check.
        family: of the metric.
        task: as the recipe states it; a model whose task isn't stated is judged once that is found.
    """
    yield from _not_installed(at, family)
    if isinstance(task, str) and family.rows:
        told = list(_other_task(at, family, task, family_of(task)))
        yield from told
        if told:
            return
        yield from _not_fed(at, family, dataset, family_of(task), task)
    yield from _lacking(at, family, dataset)


def searched(at: KeyPath, control: Mapping[str, object], dataset: Dataset, task: object) -> Iterator[Finding]:
    """What is wrong with a metric of accuracy control, which runs one network for each row."""
    found = own.stated(control.get("metric"))
    if found is None:
        return
    if found[1].rows == () and not found[0].controls:
        what = f"accuracy control looks at rows, and {found[0].name} takes the whole model"
        yield Finding((*at, "metric"), what, "use one with `takes: predictions`")
    elif isinstance(task, str) and isinstance(control["metric"], str):
        ways = (fitting(family_of(task).predicts, gives, kinds(dataset)) for gives in found[1].rows)
        first = next((one for one in ways if one), None)
        if first and not first.network:
            yield Finding((*at, "metric"), not_searched(found[0].name, first.gives, task))


def _not_installed(at: KeyPath, family: Family) -> Iterator[Finding]:
    if family.extra and (lacking := [name for name in family.libraries if not _is_installed(name)]):
        what = f"{family.name} is measured with the package {' and '.join(lacking)}, which is not installed"
        yield Finding((*at, "metric"), what, f"pip install 'ovrun[{family.extra}]'")


def _is_installed(distribution: str) -> bool:
    try:
        return bool(version(distribution))
    except PackageNotFoundError:
        return False


def _other_task(at: KeyPath, family: Family, task: str, used: TaskFamily) -> Iterator[Finding]:
    """A model of another task gives no such rows, whatever the data."""
    gives = {one.gives for one in used.predicts}
    of_arrays = {one.gives for one in OF_ARRAYS} if len(used.parts) == 1 else set()
    if family.tasks and used.name not in family.tasks and used.name != ARRAYS:
        what = f"{family.name} is of models for {_named(family.tasks)}, and the model's task is {task}"
    elif gives.isdisjoint(family.rows) and of_arrays.isdisjoint(family.rows):
        given = f"give {' or '.join(sorted(gives))}" if gives else "are not asked for any rows"
        what = f"{family.name} is measured on {' or '.join(family.rows)}, and models for {task} {given}"
    else:
        return
    yield Finding((*at, "metric"), what, enumerate_names(_fitting(used), lead="metrics that fit") or "none fits")


def _fitting(used: TaskFamily) -> list[str]:
    """The metrics for the models of a task, those that it names first."""
    gives = {one.gives for one in used.predicts}
    found = [metric.name for one in FAMILIES.values() if _is_measured(one, used, gives) for metric in one.metrics]
    return [*(name for name in used.metrics if name in found), *(name for name in found if name not in used.metrics)]


def _is_measured(family: Family, used: TaskFamily, gives: set[str]) -> bool:
    if not applies(family):
        return used.gives == "next tokens" if family.of_generators else len(used.parts) == 1
    return not gives.isdisjoint(family.rows) and (not family.tasks or used.name in family.tasks)


def _not_fed(at: KeyPath, family: Family, dataset: Dataset, used: TaskFamily, task: str) -> Iterator[Finding]:
    """Some column has to feed the model, so that it gives what the metric takes."""
    if any(fitting(used.predicts, gives, kinds(dataset)) for gives in family.rows):
        return
    both = (*used.predicts, *OF_ARRAYS)
    needed = [words for gives in family.rows if (words := wanted(both, gives))]
    what = f'nothing of "{dataset.name}" feeds a model for {task}'
    yield Finding((*at, "dataset"), what, f"needed: {', or '.join(dict.fromkeys(needed))}")


def _lacking(at: KeyPath, family: Family, dataset: Dataset) -> Iterator[Finding]:
    """The columns that a model is held against, or the file that says them itself."""
    if "task scores" in family.rows and TASK_FILE not in kinds(dataset):
        what = f'"{dataset.name}" is no task file, and {family.name} is measured by one'
        yield Finding((*at, "dataset"), what, "needed: a .yaml file of lm-evaluation-harness")
    if lacking := [role for role in family.targets if role not in kinds(dataset)]:
        roles = " and ".join(f"`{role}`" for role in lacking)
        what = f'"{dataset.name}" has no column for {roles}, which {family.name} needs'
        yield Finding((*at, "dataset"), what, f"name it in `columns` of the dataset: `{lacking[0]}: <its column>`")


def _named(tasks: tuple[str, ...]) -> str:
    return " or ".join(dict.fromkeys(name.removesuffix(PAST) for name in tasks))


def contradictions(at: KeyPath, one: Mapping[str, object]) -> Iterator[Finding]:
    """Gates that every model passes, or none."""
    found = own.stated(one["metric"])
    if found is None:
        return
    info = found[0]
    gates = {gate: numeric(one[gate]) for gate in GateKind if gate in one}
    for gate, what, use in limits.misfits(info, gates):
        yield Finding((*at, gate), what, use)
    if one.get("decide") == "bound" and not info.bounded:
        yield Finding((*at, "decide"), f"{info.name} has no interval", "use point, or another metric")
    if "min" in one and "max" in one and numeric(one["min"]) > numeric(one["max"]):
        yield Finding((*at, "min"), f"{one['min']} is above max, {one['max']}; no value passes")
    if "stride" in one and "context_length" in one and numeric(one["stride"]) > numeric(one["context_length"]):
        what = f"{one['stride']} is above context_length, {one['context_length']}; tokens would be left out"
        yield Finding((*at, "stride"), what)
    for side in ("height", "width"):
        pixels = one.get(side)
        if isinstance(pixels, int) and pixels % _LATENT:
            below = pixels - pixels % _LATENT
            what = f"{pixels} pixels are no multiple of {_LATENT}, and images are drawn in such pieces"
            yield Finding((*at, side), what, f"use {below} or {below + _LATENT}")
