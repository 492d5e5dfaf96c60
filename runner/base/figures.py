"""Numbers in words that a person reads at a glance; used by the console and the model card alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from runner.base.values import listing, mapping, numeric, text


def megabytes(size: float) -> str:
    """Bytes as kB, MB or GB (powers of ten), three digits."""
    if size >= 1e9:
        return f"{size / 1e9:.2f} GB"
    if size < 1e6:
        return f"{size / 1e3:.3g} kB" if size < 1e5 else f"{size / 1e3:.0f} kB"
    return f"{size / 1e6:.3g} MB" if size < 1e8 else f"{size / 1e6:.0f} MB"


def seconds(duration: float) -> str:
    """A duration: `0.4 s`, `12 s`, `3 min 05 s`."""
    if duration < 10:
        return f"{duration:.1f} s"
    if duration < 60:
        return f"{duration:.0f} s"
    return f"{int(duration // 60)} min {int(duration % 60):02d} s"


def number(value: float | None) -> str:
    """A metric's value with four significant digits; a dash where there is none."""
    if value is None or value != value:
        return "-"
    return f"{value:.4g}"


def gate_text(gate: Mapping[str, object]) -> str:
    """A gate as a person says it: `max 0.15`, `max drop 0.01, measured 0.003`."""
    if gate["gate"] is None:
        return "-"
    said = f"{text(gate['gate']).replace('_', ' ')} {_figure(gate['limit'])}"
    if gate["gate"] not in ("max", "min"):
        said += f", measured {_figure(gate['measured'])}"
    return said


def check_lines(checks: Sequence[Mapping[str, object]]) -> list[tuple[str, str]]:
    """A line a gate of a manifest's checks, in aligned columns, and `met` or `MISSED` to put behind it."""
    gated = [(check, mapping(gate)) for check in checks for gate in listing(check["gates"])]
    rows = [(_check_cells(check, gate), gate["passed"]) for check, gate in gated]
    widths = [max(map(len, column)) for column in zip(*(cells for cells, _ in rows), strict=True)]
    lines = []
    for (metric, value, reference, gate), passed in rows:
        line = f"{metric:<{widths[0]}}  {value:>{widths[1]}}  {reference:<{widths[2]}}  {gate:<{widths[3]}}"
        lines.append((line, "met" if passed else "MISSED"))
    return lines


def _check_cells(check: Mapping[str, object], gate: Mapping[str, object]) -> tuple[str, str, str, str]:
    reference = "" if check["reference_value"] is None else f"reference {_figure(check['reference_value'])}"
    return text(check["metric"]), _figure(check["value"]), reference, gate_text(gate)


def _figure(value: object) -> str:
    return number(None if value is None else numeric(value))
