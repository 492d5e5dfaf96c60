"""Measure noise floors: the stages of these alone, by the lifecycle of a run that publishes nothing."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from runner.artifact.manifest import check_record
from runner.artifact.noise import is_within, measured, reader, tighter
from runner.artifact.status import Status
from runner.plan.builder import make_plan
from runner.plan.noise import alone, documents_of
from runner.recipe.types import Point, Recipe, Sweep
from runner.run.judging import judged
from runner.run.lifecycle import Run
from runner.run.outcome import Finished, Observer, Outcome
from runner.store import store_of
from runner.store.runs import under_way

if TYPE_CHECKING:
    from runner.metrics.records import CheckRecord, NoiseRecord
    from runner.plan.types import Measurement, Plan
    from runner.registry.gates import GateKind
    from runner.store import Store

MEMORY = "~noise"
"""Behind a recipe's name: the memory of the stages, which `ovrun gc` keeps; no recipe has such a name."""


@dataclass(frozen=True)
class Noise:
    """The noise floor of a check.

    Attributes:
        noise: None where the check can't have one.
        check: what the recipe's model measured, if that is in the store.
        tighter: its gates that ask for less than the floor.
    """

    metric: str
    dataset: str
    noise: NoiseRecord | None
    check: CheckRecord | None
    tighter: tuple[GateKind, ...] = ()


@dataclass(frozen=True)
class Floors:
    """The noise floors of a recipe's checks, in their order, and the run that measured them."""

    checks: tuple[Noise, ...]
    end: Finished


def measure(recipe: Recipe, outputs: Path, observer: Observer) -> Floors:
    """Measure what is not measured yet.

    Raises:
        OvrunError: as a run of the recipe; RecipeError where none of its checks can have a noise floor.
    """
    start, store = time.monotonic(), store_of(outputs)
    whole = make_plan(recipe, store)
    plan = alone(whole)
    outcome = Outcome(Point(recipe.name, {}, recipe), plan)
    run = _NoiseRun(Sweep(recipe.name, (), [outcome.point]), [outcome], store, outputs, observer)
    with under_way(store, (stage.key for stage in plan.stages)):
        run.execute(None, fail_fast=True)
    if outcome.error is not None:
        raise outcome.error
    documents = {stage.label: stage.document for stage in plan.stages}
    store.remember_recent(recipe.name + MEMORY, documents, recipe.path)
    found = tuple(_noise(whole, measurement, store) for measurement in whole.measurements)
    return Floors(found, run.finished(start))


class _NoiseRun(Run):
    """One whose point is done once everything is measured."""

    def _finish(self, outcome: Outcome) -> None:
        outcome.status = Status.READY


def _noise(plan: Plan, measurement: Measurement, store: Store) -> Noise:
    check = measurement.check
    noise = measured(documents_of(plan), measurement.key, check.metric, reader(store))
    keys = [key for key in (measurement.key, measurement.reference_key) if key]
    entries = {key: entry for key in keys if (entry := store.find(key))}
    record = check_record(judged(measurement, entries)) if len(entries) == len(keys) else None
    if noise and record:
        noise["within"] = is_within(noise, record)
    return Noise(check.metric, check.dataset, noise, record, tuple(tighter(check, noise)) if noise else ())
