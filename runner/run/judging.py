"""Judge: what the evaluations measured against the gates of the recipe; no measurement is made here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from runner.artifact.manifest import check_record
from runner.artifact.status import Status
from runner.metrics.gates import Judged, judge, missed_gates, undecided_gates
from runner.plan.types import Measurement, Plan
from runner.store import Entry, Store


def judge_all(plan: Plan, entries: Mapping[str, Entry]) -> tuple[Judged, ...]:
    """Judge every check of a plan whose evaluations are done."""
    return tuple(judged(measurement, entries) for measurement in plan.measurements)


def kept_back(checks: Sequence[Judged]) -> tuple[Status, str]:
    """What a model is that can't be published, and why."""
    records = [check_record(one) for one in checks]
    missed = missed_gates(records)
    return (Status.REJECTED, missed) if missed else (Status.UNDECIDED, undecided_gates(records))


def entries_of(plan: Plan, store: Store) -> dict[str, Entry] | None:
    """The entries of a plan's targets, or None if one of them has vanished."""
    whole = {key: entry for key in plan.targets if (entry := store.find(key)) is not None}
    return whole if len(whole) == len(set(plan.targets)) else None


def judged(measurement: Measurement, entries: Mapping[str, Entry]) -> Judged:
    """Judge one."""
    result = dict(entries[measurement.key].result)
    if measurement.reference_key is not None:
        result["reference_values"] = entries[measurement.reference_key].result["values"]
    return Judged(measurement.check, judge(measurement.check, result), result, measurement.key)
