"""Checks in words that a person reads at a glance; used by the console and the model card alike."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from runner.base.figures import number
from runner.registry.gates import LIMITS

if TYPE_CHECKING:
    from runner.metrics.records import CheckRecord, GateRecord


def gate_text(gate: GateRecord) -> str:
    """A gate as a person says it: `max 0.15`, `max drop 0.01, measured 0.003`."""
    if gate["gate"] is None:
        return "-"
    text = f"{gate['gate'].replace('_', ' ')} {number(gate['limit'])}"
    if gate["gate"] not in LIMITS:
        text += f", measured {number(gate['measured'])}"
    return text


def check_lines(checks: Sequence[CheckRecord]) -> list[tuple[str, str]]:
    """A line a gate of a manifest's checks, in aligned columns, and `met` or `MISSED` to put behind it."""
    rows = [(_check_cells(check, gate), gate["passed"]) for check in checks for gate in check["gates"]]
    widths = [max(map(len, column)) for column in zip(*(cells for cells, _ in rows), strict=True)]
    lines = []
    for (metric, value, reference, gate), passed in rows:
        line = f"{metric:<{widths[0]}}  {value:>{widths[1]}}  {reference:<{widths[2]}}  {gate:<{widths[3]}}"
        lines.append((line, "met" if passed else "MISSED"))
    return lines


def _check_cells(check: CheckRecord, gate: GateRecord) -> tuple[str, str, str, str]:
    reference = "" if check["reference_value"] is None else f"reference {number(check['reference_value'])}"
    return check["metric"], number(check["value"]), reference, gate_text(gate)
