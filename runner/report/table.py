"""The report as text, CSV and JSON."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import groupby
from typing import TYPE_CHECKING, Any

from runner import __version__
from runner.artifact.checks import interval_text, is_undecided
from runner.base.figures import megabytes, number, seconds
from runner.base.safe import csv_cell, json_text, line
from runner.base.words import plural
from runner.report.columns import Column, Table, gates_short, gates_text
from runner.report.layout import aligned, pad, width
from runner.report.rows import Row, setting_text

if TYPE_CHECKING:
    from runner.metrics.records import CheckRecord

_OF_METRIC = ("", " low", " high", " gate", " met", " noise")
"""The columns of CSV that a metric has."""
_WORDS: Mapping[str, Callable[[Any], str]] = {
    "bytes": megabytes,
    "seconds": seconds,
    "ratio": lambda value: f"{value:.3f}",
}


def as_json(rows: Sequence[Row], notes: Sequence[str]) -> str:
    """One JSON document; sizes in bytes, times in seconds."""
    document = {
        "ovrun": __version__,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "rows": [_plain(row) for row in rows],
        "notes": list(notes),
    }
    return json_text(document) + "\n"


def _plain(row: Row) -> dict[str, object]:
    return {
        "name": row.name,
        "version": row.version,
        "path": row.place,
        "status": row.status,
        "reason": row.reason,
        "sweep": row.sweep,
        "settings": dict(row.settings),
        "size": row.size,
        "converted_size": row.converted_size,
        "size_ratio": row.size_ratio,
        "seconds": row.seconds,
        "peak_memory": row.peak_memory,
        "created": row.created,
        "checks": list(row.checks),
    }


def as_csv(table: Table, rows: Sequence[Row]) -> str:
    """A line a row, raw numbers: bytes, seconds; a metric has its 95 % interval, gate, whether it passed, and noise."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    heads = [f"{column.ident}{kind}" for column in table.metrics for kind in _OF_METRIC]
    settings = [column.ident for column in table.settings]
    plain = ("size", "converted_size", "size_ratio")
    cost = ("seconds", "peak_memory", "created", "reason", "place")
    lines: list[list[object]] = [["name", "version", "status", "sweep", *settings, *plain, *heads, *cost]]
    for row in rows:
        values = [row.name, row.version, row.status, row.sweep]
        chosen = [setting_text(table.value(row, column)) for column in table.settings]
        metrics = [cell for column in table.metrics for cell in _metric_cells(table, row, column)]
        numbers = [[getattr(row, name) for name in names] for names in (plain, cost)]
        lines.append([*values, *chosen, *numbers[0], *metrics, *numbers[1]])
    writer.writerows([csv_cell(cell) for cell in cells] for cells in lines)
    return stream.getvalue()


def _metric_cells(table: Table, row: Row, column: Column) -> tuple[object, ...]:
    check = table.check(row, column)
    if check is None:
        return ("",) * len(_OF_METRIC)
    low, high = check.get("intervals", {}).get(check["metric"], ("", ""))
    met = "yes" if check["passed"] else "undecided" if is_undecided(check) else "no"
    noise = check.get("noise")
    return check["value"], low, high, gates_text(check), met, noise["floor"] if noise else ""


def text_lines(table: Table, rows: Sequence[Row], wide: int | None = None) -> Iterator[str]:
    """A table a sweep, and one of all else; a table that is wider than `wide` leaves the names out.

    They say the same as the settings, and the line below gives the first in full.
    """
    order = dict.fromkeys(row.sweep for row in rows)
    groups = sorted(rows, key=lambda row: list(order).index(row.sweep))
    parts = [_group(table, sweep, list(members), wide) for sweep, members in groupby(groups, lambda row: row.sweep)]
    for at, part in enumerate(parts):
        yield from [""] * bool(at)
        yield from part


def _group(table: Table, sweep: str | None, rows: list[Row], wide: int | None) -> Iterable[str]:
    yield f"{sweep}: {plural(len({row.name for row in rows}), 'point')}" if sweep else "versions"
    columns = [column for column in table.columns if _shown(table, rows, column, bool(sweep))]
    heads = [(column.label, table.gate(rows, column)) for column in columns]
    cells = [
        [_cell(table, row, column, gate) for column, (_, gate) in zip(columns, heads, strict=True)] for row in rows
    ]
    lines = _lines(heads, cells, [column.kind in ("text", "setting") for column in columns])
    names = [line(row.ident) for row in rows]
    fits = _fits(lines, names, wide)
    yield from _with_names(lines, names) if sweep and fits else lines
    if sweep and not fits:
        yield f"  the first is {names[0]}"
    yield from (f"  {row.ident}: {row.status}, {row.reason}" for row in rows if row.reason)


def _fits(lines: Sequence[str], names: Sequence[str], wide: int | None) -> bool:
    return wide is None or max(map(width, lines)) + 2 + max(map(width, names)) <= wide


def _with_names(lines: Sequence[str], names: Sequence[str]) -> list[str]:
    heads = ["name", *[""] * (len(lines) - len(names) - 1)]
    wide = max(map(width, lines))
    return [f"{pad(line, wide)}  {name}".rstrip() for line, name in zip(lines, [*heads, *names], strict=True)]


def _shown(table: Table, rows: Sequence[Row], column: Column, in_sweep: bool) -> bool:
    if column.ident == "created" or (column.ident == "name" and in_sweep):
        return False
    if column.kind == "metric":
        return any(table.check(row, column) for row in rows)
    return any(table.value(row, column) is not None for row in rows)


def _lines(heads: Sequence[tuple[str, str]], cells: Sequence[Sequence[str]], left: Sequence[bool]) -> list[str]:
    """Aligned lines: labels, then gates if there are any, then the rows."""
    labels, gates = [head for head, _ in heads], [gate for _, gate in heads]
    rows = [labels, *([gates] if any(gates) else []), *cells]
    return [f"  {line}" for line in aligned(rows, right=[at for at, start in enumerate(left) if not start])]


def _cell(table: Table, row: Row, column: Column, gate: str) -> str:
    check = table.check(row, column) if column.kind == "metric" else None
    if check is not None:
        return _judged(check, gate)
    value = row.ident if column.ident == "name" else table.value(row, column)
    if value is None:
        return "-"
    return _WORDS.get(column.kind, setting_text)(value)


def _judged(check: CheckRecord, gate: str) -> str:
    """A metric's value with ✓, ? or ✗; with its gate where the column's head can't say it."""
    own, noise = gates_short(check), check.get("noise")
    within = " (within noise)" if noise and noise["within"] else ""
    if not own:
        return number(check["value"]) + within
    value = number(check["value"]) + interval_text(check.get("intervals", {}).get(check["metric"]))
    mark = "✓" if check["passed"] else "?" if is_undecided(check) else "✗"
    return (f"{value} {mark}" if gate else f"{value} {mark} {own}") + within
