"""The columns of a report: which there are for given rows, what a row has in them, and how rows are sorted by one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from runner.base.figures import number
from runner.base.words import near
from runner.errors import Problem, UsageError
from runner.registry.gates import Better, GateKind
from runner.registry.metrics import METRICS
from runner.report.rows import Row, choose, flat

if TYPE_CHECKING:
    from runner.metrics.records import CheckRecord as Check

Kind = Literal["text", "setting", "bytes", "ratio", "metric", "seconds", "extra"]


@dataclass(frozen=True)
class Column:
    """One column.

    Attributes:
        ident: its name on the command line and in CSV.
        label: its heading.
        kind: what its values are; `extra` is a value of an evaluation that no check names.
        better: which direction is better, where one is.
        unit: of a metric's value.
    """

    ident: str
    label: str
    kind: Kind
    better: Better | None = None
    unit: str = ""


_NAME = Column("name", "model", "text")
_STATUS = Column("status", "status", "text")
_SIZE = (
    Column("size", "size", "bytes", Better.LOWER),
    Column("size_ratio", "x converted", "ratio", Better.LOWER),
)
_COST = (
    Column("seconds", "time", "seconds", Better.LOWER),
    Column("peak_memory", "peak memory", "bytes", Better.LOWER),
    Column("created", "made", "text"),
)


class Table:
    """Rows with their columns; looks each check up once."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self.rows = tuple(rows)
        self._checks = {row.ident: dict(_named(row.checks)) for row in rows}
        self._twice = _on_several(self._checks.values())
        self._recipes: dict[str, dict[str, object]] = {}
        self.settings = tuple(_setting_columns(_setting_keys(self)))
        self.metrics = tuple(self._metric_columns())
        self.extras = tuple(self._extra_columns())
        self.columns = (_NAME, *self.settings, _STATUS, *_SIZE, *self.metrics, *_COST)

    def recipe(self, row: Row) -> Mapping[str, object]:
        """The flattened recipe of a row; empty for a point without a version."""
        if row.ident not in self._recipes:
            self._recipes[row.ident] = flat(row.details["recipe"]) if row.details else {}
        return self._recipes[row.ident]

    def value(self, row: Row, column: Column) -> Any:
        """What a row has in a column; None where it has nothing."""
        if column.kind == "setting":
            return row.settings.get(column.ident, self.recipe(row).get(column.ident))
        if column.kind == "metric":
            check = self.check(row, column)
            return check["value"] if check else None
        if column.kind == "extra":
            return self._extras(row).get(column.ident)
        return getattr(row, column.ident)

    def check(self, row: Row, column: Column) -> Check | None:
        """A row's check of a metric's column."""
        checks = self._checks[row.ident]
        return next((check for key, check in checks.items() if self._ident(*key) == column.ident), None)

    def _ident(self, metric: str, dataset: str, nth: int) -> str:
        name = f"{metric}@{dataset}" if metric in self._twice else metric
        return name if nth == 1 else f"{name}#{nth}"

    def gate(self, rows: Iterable[Row], column: Column) -> str:
        """The gates of a metric, where all rows have the same; empty otherwise."""
        checks = (self.check(row, column) for row in rows) if column.kind == "metric" else ()
        gates = {gates_short(check) for check in checks if check is not None}
        return gates.pop() if len(gates) == 1 else ""

    def _metric_columns(self) -> Iterable[Column]:
        checks = {self._ident(*key): check for one in self._checks.values() for key, check in one.items()}
        for ident, check in checks.items():
            info, own = METRICS.get(check["metric"]), check.get("better")
            better = info.better if info else Better(own) if own else None
            yield Column(ident, ident, "metric", better, info.unit if info else "")

    def _extras(self, row: Row) -> dict[str, float]:
        """What the evaluations behind a row's checks found beyond them."""
        found: dict[str, float] = {}
        for (_, dataset, nth), check in self._checks[row.ident].items():
            for name, value in check["values"].items():
                if isinstance(value, int | float):
                    found.setdefault(self._ident(name, dataset, nth), value)
        return found

    def _extra_columns(self) -> Iterable[Column]:
        known = {column.ident for column in self.metrics}
        for row in self.rows:
            for ident in self._extras(row):
                info = METRICS.get(ident.partition("@")[0].partition("#")[0])
                if ident not in known and info:
                    known.add(ident)
                    yield Column(ident, ident, "extra", info.better, info.unit)

    def find(self, word: str) -> Column:
        """The column that a word names: its name, or the end of a setting's key.

        Raises:
            UsageError: there is none, or there are several.
        """
        known = {column.ident: column for column in (*self.columns, *self.extras)}
        ends = [column for column in self.settings if column.ident.endswith(f".{word}")]
        if word in known or len(ends) == 1:
            return known.get(word) or ends[0]
        allowed = f"the columns are {', '.join(column.ident for column in self.columns)}"
        raise UsageError([Problem("command line", "--sort", f"there is no column {word}", allowed, near(word, known))])

    def sorted(self, column: Column, *, reverse: bool = False) -> list[Row]:
        """Rows from best to worst, or from small to large; those without a value come last either way."""
        with_value = [row for row in self.rows if self.value(row, column) is not None]
        without = [row for row in self.rows if self.value(row, column) is None]
        down = (column.better == Better.HIGHER) != reverse
        return sorted(with_value, key=lambda row: _sortable(self.value(row, column)), reverse=down) + without


def _sortable(value: object) -> tuple[int, float, str]:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return 0, float(value), ""
    return 1, 0.0, str(value)


def _named(checks: Iterable[Check]) -> Iterable[tuple[tuple[str, str, int], Check]]:
    """Each check under its metric, its dataset, and a number for the second check of both."""
    seen: Counter[tuple[str, str]] = Counter()
    for check in checks:
        key = (check["metric"], check["dataset"])
        seen[key] += 1
        yield (*key, seen[key]), check


def _on_several(named: Iterable[Mapping[tuple[str, str, int], Check]]) -> set[str]:
    """The metrics that are measured on more than one dataset; their columns name it."""
    datasets: dict[str, set[str]] = {}
    for checks in named:
        for (metric, dataset, _), check in checks.items():
            for name in (metric, *check["values"]):
                datasets.setdefault(name, set()).add(dataset)
    return {metric for metric, names in datasets.items() if len(names) > 1}


def _setting_keys(table: Table) -> list[str]:
    """The swept keys; without a sweep, what differs between the rows in how they are compressed."""
    swept = dict.fromkeys(key for row in table.rows for key in row.settings)
    if swept:
        return list(swept)
    recipes = [table.recipe(row) for row in table.rows if row.details]
    keys = dict.fromkeys(key for recipe in recipes for key in recipe if key.startswith("compression."))
    if len(recipes) == 1:
        return list(keys)
    return [key for key in keys if len({str(recipe.get(key)) for recipe in recipes}) > 1]


def _setting_columns(keys: Sequence[str]) -> Iterable[Column]:
    """Headed by the shortest end of the key that no other has."""
    for key in keys:
        parts = key.split(".")
        ends = [".".join(parts[start:]) for start in range(len(parts) - 1, -1, -1)]
        label = next(end for end in ends if sum(f".{other}".endswith(f".{end}") for other in keys) == 1)
        yield Column(key, label, "setting")


def gates_text(check: Check) -> str:
    """The gates of a check in the recipe's words: `min 0.9, max drop 0.02`; empty without a gate."""
    return ", ".join(
        f"{gate['gate'].replace('_', ' ')} {number(gate['limit'])}" for gate in check["gates"] if gate["gate"]
    )


def gates_short(check: Check) -> str:
    """The gates of a check as a column's head has room for: `≥ 0.9, drop ≤ 0.02`."""
    return ", ".join(
        _SHORT[GateKind(gate["gate"])](gate["limit"])
        for gate in check["gates"]
        if gate["gate"] is not None and gate["limit"] is not None
    )


_SHORT: Mapping[str, Callable[[float], str]] = {
    GateKind.MAX: lambda limit: f"≤ {number(limit)}",
    GateKind.MIN: lambda limit: f"≥ {number(limit)}",
    GateKind.MAX_DROP: lambda limit: f"drop ≤ {number(limit)}",
    GateKind.MAX_RELATIVE_INCREASE: lambda limit: f"≤ +{number(100 * limit)} %",
}


def chosen(
    rows: Sequence[Row], words: Sequence[str], outputs: Path, *, sort: str | None, reverse: bool
) -> tuple[Table, list[Row]]:
    """The table of the rows that the words name, and those in the order that is asked for: the best first.

    Raises:
        UsageError: a word names nothing, or there is no column `sort`.
    """
    table = Table(choose(rows, words, outputs))
    if sort:
        return table, list(table.sorted(table.find(sort), reverse=reverse))
    return table, list(table.rows)[:: -1 if reverse else 1]
