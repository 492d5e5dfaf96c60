"""Judge: what the evaluations measured against the gates of the recipe; no measurement is made here."""

from __future__ import annotations

from collections.abc import Mapping

from runner.metrics.gates import Judged, judge
from runner.plan.types import Measurement, Plan
from runner.store import Entry


def judge_all(plan: Plan, entries: Mapping[str, Entry]) -> tuple[Judged, ...]:
    """Judge every check of a plan whose evaluations are done."""
    return tuple(_judged(measurement, entries) for measurement in plan.measurements)


def _judged(measurement: Measurement, entries: Mapping[str, Entry]) -> Judged:
    result = dict(entries[measurement.key].result)
    if measurement.reference_key is not None:
        result["reference_values"] = entries[measurement.reference_key].result["values"]
    return Judged(measurement.check, judge(measurement.check, result), result)
