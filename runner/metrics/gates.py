"""A check's gates against what was measured; pure, so a changed gate re-judges without a new measurement."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from runner.errors import AccuracyError
from runner.registry.gates import GateKind

if TYPE_CHECKING:
    from runner.metrics.records import CheckRecord, GateRecord
    from runner.recipe.accuracy import Check


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
    """

    metric: str
    value: float
    gate: GateKind | None
    limit: float | None
    reference_value: float | None
    measured: float
    passed: bool


_MEASURES: Mapping[GateKind, Callable[[float, float], float]] = {
    GateKind.MAX: lambda value, _: value,
    GateKind.MIN: lambda value, _: value,
    GateKind.MAX_DROP: lambda value, reference: reference - value,
    GateKind.MAX_RELATIVE_INCREASE: lambda value, reference: value / reference - 1 if reference else math.nan,
}


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


def judge(check: Check, result: Mapping[str, Any]) -> tuple[Verdict, ...]:
    """One verdict a gate that is set on the check, or one without a gate; limits are inclusive.

    Args:
        check: the gates.
        result: what the metric's family returned.
    """
    value = _number(result["values"].get(check.metric))
    reference = _number(result.get("reference_values", {}).get(check.metric))
    own = None if math.isnan(reference) else reference
    limits = {gate: getattr(check, gate) for gate in _MEASURES if getattr(check, gate) is not None}
    if not limits:
        return (Verdict(check.metric, value, None, None, own, value, not math.isnan(value)),)
    measured = {gate: _MEASURES[gate](value, reference) for gate in limits}
    return tuple(
        Verdict(check.metric, value, gate, limit, own, measured[gate], _passes(gate, measured[gate], limit))
        for gate, limit in limits.items()
    )


def missed_gates(checks: Iterable[CheckRecord]) -> str:
    """Which gates were missed and by what, of checks as a manifest has them; empty if none was."""
    return "; ".join(
        f"{check['metric']} on {check['dataset']}: {_missed(gate)}"
        for check in checks
        for gate in check["gates"]
        if not gate["passed"]
    )


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
    return f"{limit}measured {measured}"


def _passes(gate: GateKind, measured: float, limit: float) -> bool:
    """Comparisons with NaN are false, so NaN passes nothing; a rounding error on the limit counts as the limit."""
    beyond = measured >= limit if gate is GateKind.MIN else measured <= limit
    return beyond or math.isclose(measured, limit, rel_tol=1e-9, abs_tol=1e-12)


def _number(value: float | None) -> float:
    """NaN for nothing, and for what is no finite number."""
    return math.nan if value is None or not math.isfinite(value) else float(value)
