"""`select`: which point of a sweep is published; whether every point can be judged by it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from runner.base.values import listing, made, mapping, text
from runner.base.words import near
from runner.recipe.accuracy import Check
from runner.recipe.judge.own_rules import MEASURES
from runner.recipe.origins import Found, KeyPath, Origins, found, nearest
from runner.recipe.types import Gate, Recipe, Select
from runner.registry import limits
from runner.registry.gates import LIMITS, Better, GateKind
from runner.registry.metrics import METRICS
from runner.registry.own import metric_of


def make_select(data: Mapping[str, object]) -> Select:
    """A `select` section that passed validation."""
    gates = tuple(made(Gate, mapping(gate)) for gate in listing(data.get("subject_to") or []))
    if "minimize" in data:
        return Select("minimize", text(data["minimize"]), gates)
    return Select("maximize", text(data["maximize"]), gates)


def check_select(select: Select, recipe: Recipe, origins: Origins) -> list[Found]:
    """What a recipe lacks to be chosen or not: checks of the metrics that count."""
    problems: list[Found] = []
    if select.by not in MEASURES:
        at: KeyPath = ("select", select.goal)
        wrong = list(_metric(at, select.by, None, recipe, origins))
        problems += wrong or _worst(at, select, recipe, origins)
    for index, gate in enumerate(select.subject_to):
        at = ("select", "subject_to", index)
        wrong = list(_metric((*at, "metric"), gate.metric, gate.dataset, recipe, origins))
        wrong += [] if wrong else _misfits(at, gate, recipe, origins)
        problems += wrong or _distance(at, gate, recipe, origins)
    return problems


def _worst(at: KeyPath, select: Select, recipe: Recipe, origins: Origins) -> Iterator[Found]:
    """Less of a metric of which more is better, or the other way round, would choose the worst point."""
    info = metric_of(checks_of(recipe, select.by)[0])
    if (info.better == Better.LOWER) != (select.goal == "minimize"):
        other = "minimize" if info.better == Better.LOWER else "maximize"
        yield found(at, nearest(origins, at), f"{info.better} {info.name} is better", f"use {other}")


def _misfits(at: KeyPath, gate: Gate, recipe: Recipe, origins: Origins) -> Iterator[Found]:
    """Gates that every point passes, or none."""
    gates = {one: getattr(gate, one) for one in GateKind}
    given = {one: limit for one, limit in gates.items() if limit is not None}
    for one, what, use in limits.misfits(metric_of(checks_of(recipe, gate.metric, gate.dataset)[0]), given):
        yield found((*at, one), nearest(origins, (*at, one)), what, use)


def checks_of(recipe: Recipe, metric: str, dataset: str | None = None) -> list[Check]:
    """The recipe's checks of a metric, on a dataset or on any."""
    return [one for one in recipe.accuracy.checks if one.metric == metric and dataset in (None, one.dataset)]


def _metric(at: KeyPath, metric: str, dataset: str | None, recipe: Recipe, origins: Origins) -> Iterator[Found]:
    place = nearest(origins, at)
    checked = list(dict.fromkeys(check.metric for check in recipe.accuracy.checks))
    measures = MEASURES if at[-1] in ("minimize", "maximize") else ()
    allowed = f"allowed: {', '.join([*measures, *checked])}" if checked or measures else "add a check of it"
    count = len(checks_of(recipe, metric, dataset))
    if metric not in METRICS and metric not in checked:
        known = [*measures, *checked, *METRICS]
        yield found(at, place, f'"{metric}" is no metric', allowed, near(metric, known))
    elif not count:
        on = f" on {dataset}" if dataset and metric in checked else ""
        yield found(at, place, f"no check measures {metric}{on}", allowed)
    elif count > 1:
        what = f"{count} checks measure {metric}, and one is meant"
        yield found(at, place, what, "name the dataset" if not measures else "choose by one that is measured once")


def _distance(at: KeyPath, gate: Gate, recipe: Recipe, origins: Origins) -> Iterator[Found]:
    """A distance from the reference needs a check that measures the reference too."""
    (check,) = checks_of(recipe, gate.metric, gate.dataset)
    for key in (one for one in GateKind if one not in LIMITS):
        if getattr(gate, key) is not None and check.max_drop is None and check.max_relative_increase is None:
            what = f"the check of {gate.metric} measures no reference"
            allowed = "give that check max_drop or max_relative_increase too"
            yield found((*at, key), nearest(origins, (*at, key)), what, allowed)
