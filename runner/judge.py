"""Judge: what the evaluations measured against the gates of the recipe; no measurement is made here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from runner.metrics.gates import Verdict, judge
from runner.plan import Measurement, Plan
from runner.recipe.types import Check
from runner.store import Entry


@dataclass(frozen=True)
class Judged:
    """A check with the verdict of each of its gates and the whole result of the evaluation behind it."""

    check: Check
    verdicts: tuple[Verdict, ...]
    result: Mapping[str, Any]

    @property
    def passed(self) -> bool:
        """Whether every gate was met."""
        return all(verdict.passed for verdict in self.verdicts)


def judge_all(plan: Plan, entries: Mapping[str, Entry]) -> tuple[Judged, ...]:
    """Judge every check of a plan whose evaluations are done."""
    return tuple(_judged(measurement, entries) for measurement in plan.measurements)


def _judged(measurement: Measurement, entries: Mapping[str, Entry]) -> Judged:
    result = dict(entries[measurement.key].result)
    if measurement.reference_key is not None:
        result["reference_values"] = entries[measurement.reference_key].result["values"]
    return Judged(measurement.check, judge(measurement.check, result), result)
