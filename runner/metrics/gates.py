"""A check's gates against what was measured; pure, so a changed gate re-judges without a new measurement."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from runner.errors import AccuracyError
from runner.registry.gates import LIMITS, GateKind

if TYPE_CHECKING:
    from runner.metrics.records import CheckRecord, GateRecord
    from runner.recipe.accuracy import Check

Result: TypeAlias = "Mapping[str, Any]"
"""What an evaluation gives, or a manifest's record of it."""


@dataclass(frozen=True)
class Verdict:
    """One gate's answer.

    Attributes:
        value: the metric on the optimized model; NaN if it has none, or an infinite one.
        gate: what it limits; None for a check without a gate.
        limit: the gate's number.
        reference_value: the metric on the reference model, where it has one.
        measured: the number held against the limit: the value, the drop, or the relative increase.
        passed: False for NaN; without a gate, whether the value is a number.
        interval: the 95 % interval of `measured`; None where there is none.
        undecided: the check decides by the bound, and the interval holds passing and missing values; then not passed.
    """

    metric: str
    value: float
    gate: GateKind | None
    limit: float | None
    reference_value: float | None
    measured: float
    passed: bool
    interval: tuple[float, float] | None = None
    undecided: bool = False


_MEASURES: Mapping[GateKind, Callable[[float, float], float]] = {
    GateKind.MAX: lambda value, _: value,
    GateKind.MIN: lambda value, _: value,
    GateKind.MAX_DROP: lambda value, reference: reference - value,
    GateKind.MAX_RELATIVE_INCREASE: lambda value, reference: value / reference - 1 if reference else math.nan,
}


@dataclass(frozen=True)
class Judged:
    """A check with the verdict of each of its gates and the whole result of the evaluation behind it, by its key."""

    check: Check
    verdicts: tuple[Verdict, ...]
    result: Result
    key: str = ""

    @property
    def passed(self) -> bool:
        """Whether every gate was met."""
        return all(verdict.passed for verdict in self.verdicts)

    @property
    def undecided(self) -> bool:
        """Whether no gate was missed, and of one it can't be told."""
        return not self.passed and all(verdict.passed or verdict.undecided for verdict in self.verdicts)

    def lets_pass(self, *, undecided: bool) -> bool:
        """Whether the model may be published; `undecided` says that one of which it can't be told may."""
        return self.passed or (undecided and self.undecided)


def judge(check: Check, result: Result) -> tuple[Verdict, ...]:
    """One verdict a gate that is set on the check, or one without a gate; limits are inclusive.

    Args:
        check: the gates.
        result: what the metric's family returned.
    """
    value = _number(result["values"].get(check.metric))
    reference = _number(result.get("reference_values", {}).get(check.metric))
    limits = {gate: getattr(check, gate) for gate in _MEASURES if getattr(check, gate) is not None}
    if not limits:
        own = None if math.isnan(reference) else reference
        interval = interval_of(GateKind.MAX, check.metric, result)
        return (Verdict(check.metric, value, None, None, own, value, not math.isnan(value), interval),)
    return tuple(_verdict(check, gate, limit, value, reference, result) for gate, limit in limits.items())


def _verdict(check: Check, gate: GateKind, limit: float, value: float, reference: float, result: Result) -> Verdict:
    measured = _MEASURES[gate](value, reference)
    interval = interval_of(gate, check.metric, result)
    passed, undecided = _passes(gate, measured, limit), False
    if check.decide == "bound" and math.isfinite(measured):
        ends = {_passes(gate, end, limit) for end in interval or ()}
        undecided = ends != {passed}
        passed = passed and not undecided
    own = None if math.isnan(reference) else reference
    return Verdict(check.metric, value, gate, limit, own, measured, passed, interval, undecided)


def interval_of(gate: GateKind, metric: str, result: Result) -> tuple[float, float] | None:
    """The interval of what a gate limits: of the value, of the drop, or of the relative increase."""
    if gate in LIMITS:
        found = (result.get("intervals") or {}).get(metric)
    else:
        kind = "differences" if gate == GateKind.MAX_DROP else "relative_differences"
        found = ((result.get(kind) or {}).get(metric) or {}).get("interval")
    if found is None or not all(map(math.isfinite, found)):
        return None
    low, high = found
    return (0.0 - high, 0.0 - low) if gate == GateKind.MAX_DROP else (low, high)


def stated(check: Check) -> list[object]:
    """What a check states of its gates, in one form."""
    limits = [getattr(check, gate) for gate in _MEASURES]
    return [check.metric, check.dataset, *limits, *([check.decide] if check.decide != "point" else [])]


def missed_gates(checks: Iterable[CheckRecord]) -> str:
    """Which gates were missed and by what, of checks as a manifest has them; empty if none was."""
    return "; ".join(
        f"{check['metric']} on {check['dataset']}: {_missed(gate)}"
        for check in checks
        for gate in check["gates"]
        if not gate["passed"] and not gate.get("undecided")
    )


def undecided_gates(checks: Iterable[CheckRecord]) -> str:
    """Of which gates it can't be told, in words, of checks as a manifest has them; empty if of all it can."""
    return "; ".join(
        f"{check['metric']} on {check['dataset']}: {_missed(gate)}"
        for check in checks
        for gate in check["gates"]
        if gate.get("undecided")
    )


def undecided(name: str, gates: str) -> AccuracyError:
    """The error of a recipe of which it can't be told, as `undecided_gates` words it."""
    hint = (
        "Nothing was published. More rows make the interval narrower; --accept-undecided (accept_undecided=True) "
        "publishes such a model, and `decide: point` judges by the value alone."
    )
    return AccuracyError(f"{name} is undecided: {gates}", hint=hint)


def missed(name: str, gates: str) -> AccuracyError:
    """The error of a recipe that missed gates, as `missed_gates` tells them."""
    hint = (
        "Nothing was published. Less compression (a lower ratio, a smaller group_size, int8) costs less accuracy; "
        "a changed gate is judged at once, without running anything again."
    )
    return AccuracyError(f"{name} misses {gates}", hint=hint)


def _missed(gate: GateRecord) -> str:
    measured = "no number" if gate["measured"] is None else f"{gate['measured']:.4g}"
    limit = "" if gate["gate"] is None else f"{gate['gate']} is {gate['limit']:g}, "
    interval = gate.get("interval")
    between = f", 95 % interval {interval[0]:.4g} to {interval[1]:.4g}" if interval else ""
    return f"{limit}measured {measured}{between}"


def _passes(gate: GateKind, measured: float, limit: float) -> bool:
    """Comparisons with NaN are false, so NaN passes nothing; a rounding error on the limit counts as the limit."""
    beyond = measured >= limit if gate is GateKind.MIN else measured <= limit
    return beyond or math.isclose(measured, limit, rel_tol=1e-9, abs_tol=1e-12)


def _number(value: float | None) -> float:
    """NaN for nothing, and for what is no finite number."""
    return math.nan if value is None or not math.isfinite(value) else float(value)
