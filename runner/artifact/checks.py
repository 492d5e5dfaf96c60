"""Checks in words that a person reads at a glance; used by the console and the model card alike."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from runner.artifact.noise import noise_text
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
        text += f", measured {number(gate['measured'])}{interval_text(gate.get('interval'))}"
    return text


def check_lines(checks: Sequence[CheckRecord]) -> list[tuple[str, str]]:
    """A line a gate of a manifest's checks, in aligned columns, and `met`, `undecided` or `MISSED` behind it."""
    rows = [(_check_cells(check, gate), verdict(gate)) for check in checks for gate in check["gates"]]
    widths = [max(map(len, column)) for column in zip(*(cells for cells, _ in rows), strict=True)]
    lines = []
    for (metric, value, reference, gate, noise), word in rows:
        line = f"{metric:<{widths[0]}}  {value:>{widths[1]}}  {reference:<{widths[2]}}  {gate:<{widths[3]}}"
        lines.append((line + (f"  {noise:<{widths[4]}}" if widths[4] else ""), word))
    return lines


def verdict(gate: GateRecord) -> str:
    """What became of a gate, in a word."""
    return "met" if gate["passed"] else "undecided" if gate.get("undecided") else "MISSED"


def is_undecided(check: CheckRecord) -> bool:
    """Whether no gate was missed, and of one it can't be told."""
    words = {verdict(gate) for gate in check["gates"]}
    return "undecided" in words and "MISSED" not in words


def interval_text(interval: Sequence[float] | None) -> str:
    """A 95 % interval behind its number: ` [0.93, 0.98]`."""
    return f" [{number(interval[0])}, {number(interval[1])}]" if interval else ""


def _check_cells(check: CheckRecord, gate: GateRecord) -> tuple[str, str, str, str, str]:
    own = interval_text(check.get("intervals", {}).get(check["metric"]))
    other = interval_text(check.get("reference_intervals", {}).get(check["metric"]))
    floor = noise_text(check.get("noise"))
    noise = f"noise {floor}" if floor else ""
    reference = "" if check["reference_value"] is None else f"reference {number(check['reference_value'])}{other}"
    return check["metric"], number(check["value"]) + own, reference, gate_text(gate), noise
