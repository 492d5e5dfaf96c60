"""Which gates make sense for a metric: none that every model passes, however bad, and none that no model passes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from runner.registry.gates import LIMITS, Better, GateKind
from runner.registry.metrics import Metric

_TOWARDS = {
    Better.LOWER: (GateKind.MAX, GateKind.MAX_RELATIVE_INCREASE),
    Better.HIGHER: (GateKind.MIN, GateKind.MAX_DROP),
}
_BESIDE = {GateKind.MIN: GateKind.MAX, GateKind.MAX: GateKind.MIN}


def misfits(info: Metric, gates: Mapping[GateKind, float]) -> Iterator[tuple[GateKind, str, str]]:
    """The gates that are wrong for a metric, each with what is wrong and what to use.

    A `min` where less is better, or a `max` where more is, is right only beside its counterpart, as an interval.

    Args:
        info: the metric.
        gates: gate -> limit, those that are set.
    """
    for gate, limit in gates.items():
        if gate not in _TOWARDS[info.better] and _BESIDE.get(gate, gate) not in {*gates} - {gate}:
            what = f"{info.better} {info.name} is better: this passes every model that is worse"
            usable = [one for one in _TOWARDS[info.better] if one in info.gates]
            yield gate, what, f"use {' or '.join(usable)}"
        elif wrong := _beyond(info, gate, limit):
            yield gate, f"{wrong[0]}: {'every' if wrong[1] else 'no'} model passes", _range(info)


def _beyond(info: Metric, gate: GateKind, limit: float) -> tuple[str, bool] | None:
    """What a limit is beyond, and whether everything passes for that."""
    if gate in LIMITS and limit > info.most:
        return f"no {info.name} is above {info.most:g}", gate is GateKind.MAX
    if gate in LIMITS and limit < info.least:
        return f"no {info.name} is below {info.least:g}", gate is GateKind.MIN
    if gate is GateKind.MAX_DROP and limit >= info.most - info.least:
        return f"{info.name} drops by {info.most - info.least:g} at most", True
    return None


def control_misfit(info: Metric, max_drop: float, drop_type: str) -> tuple[str, str] | None:
    """What is wrong with a drop that accuracy control allows, and what to use; None where it can be missed."""
    widest = info.most - info.least if info.better == Better.HIGHER else float("inf")
    worst = 1.0 if drop_type == "relative" and info.least == 0 and info.better == Better.HIGHER else widest
    if max_drop < worst:
        return None
    return f"{info.name} drops by {worst:g} at most: every model passes", "0.01 is one percent"


def _range(info: Metric) -> str:
    most = "" if info.most == float("inf") else f" to {info.most:g}"
    least = f"{info.least:g}" if info.least > float("-inf") else "anything"
    return f"{info.name} goes from {least}{most or ' up'}"
