"""`ovrun compare A B`: two versions side by side: what differs in their settings, and what each cost and measured."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runner.artifact import record
from runner.artifact.checks import interval_text, is_undecided
from runner.artifact.named import named
from runner.artifact.noise import reader
from runner.artifact.status import Status
from runner.artifact.versions import REJECTED, is_number
from runner.base.figures import megabytes, number, seconds
from runner.report.columns import Table
from runner.report.layout import aligned
from runner.report.rows import Row, flat, setting_text, version_row
from runner.store import store_of

if TYPE_CHECKING:
    from runner.metrics.records import CheckRecord

Pair = dict[str, object]
_OWN = ("name", "description")
_WIDEST = 56
"""A value that is longer than most pushes only its own row to the right."""


def find(word: str, outputs: Path) -> Row:
    """The version that a word names: `NAME`, `NAME/N`, `NAME/rejected/ID`, or the path of such a folder.

    Raises:
        UsageError: there is none.
        SourceError: its manifest can't be read.
    """
    folder = named(word, outputs)
    known = record.load(folder.parent).of(int(folder.name)) if is_number(folder.name) else record.Version()
    row = version_row(folder, "", known, reader(store_of(outputs)))
    return replace(row, place=f"{row.name}/{row.version or f'{REJECTED}/{folder.name}'}")


def compare(a: Row, b: Row) -> dict[str, object]:
    """Two versions as plain data: every pair has `a`, `b` and, for numbers, `ratio` = b / a."""
    table = Table([a, b])
    metrics = (*table.metrics, *table.extras)
    values = {column.ident: (table.value(a, column), table.value(b, column)) for column in metrics}
    return {
        "a": a.ident,
        "b": b.ident,
        "status": _pair(_status(a), _status(b)),
        "settings": _differing(_settings(a), _settings(b)),
        "size": {
            "optimized": _pair(a.size, b.size),
            "converted": _pair(a.converted_size, b.converted_size),
            "ratio_to_converted": _pair(a.size_ratio, b.size_ratio),
        },
        "metrics": {ident: _pair(*pair) for ident, pair in values.items()},
        "intervals": {
            column.ident: {side: _interval(table.check(row, column)) for side, row in (("a", a), ("b", b))}
            for column in table.metrics
        },
        "checks": {
            column.ident: _pair(*(_met(table.check(row, column)) for row in (a, b))) for column in table.metrics
        },
        "stages": _stages(a, b),
        "seconds": _pair(a.seconds, b.seconds),
        "peak_memory": _pair(a.peak_memory, b.peak_memory),
        "libraries": _differing(a.details["libraries"], b.details["libraries"]),
        "made_with": _differing(_surroundings(a), _surroundings(b)),
    }


def _status(row: Row) -> str:
    """Its status, and whether its files are as they were published; gates stand below."""
    changed = row.reason if row.status not in (Status.REJECTED, Status.UNDECIDED) else None
    return f"{row.status}, {changed}" if changed else row.status


def _pair(a: object, b: object) -> Pair:
    pair: Pair = {"a": a, "b": b}
    if isinstance(a, int | float) and isinstance(b, int | float) and not isinstance(a, bool) and a:
        pair["ratio"] = b / a
    return pair


def _differing(a: Mapping[str, object], b: Mapping[str, object]) -> dict[str, Pair]:
    return {key: {"a": a.get(key), "b": b.get(key)} for key in dict.fromkeys([*a, *b]) if a.get(key) != b.get(key)}


def _settings(row: Row) -> dict[str, object]:
    return {key: value for key, value in flat(row.details["recipe"]).items() if key not in _OWN}


def _surroundings(row: Row) -> dict[str, object]:
    """What is not said by the recipe: the very model and data, ovrun, and the machine."""
    details = row.details
    return flat({name: details[name] for name in ("ovrun", "model", "datasets", "hardware")})


def _met(check: CheckRecord | None) -> bool | None:
    return None if check is None or is_undecided(check) else check["passed"]


def _interval(check: CheckRecord | None) -> list[float] | None:
    return check.get("intervals", {}).get(check["metric"]) if check else None


def _stages(a: Row, b: Row) -> list[dict[str, object]]:
    """Stages in their order, matched by label, then by what they do; `shared` says that both stem from one run."""
    rest = list(b.details["stages"])
    pairs: list[tuple[Any, Any]] = []
    for stage in a.details["stages"]:
        other = next((one for one in rest if one["label"] == stage["label"]), None)
        other = other or next((one for one in rest if one["stage"] == stage["stage"] and not _in(one, a)), None)
        if other:
            rest.remove(other)
        pairs.append((stage, other))
    pairs += [(None, stage) for stage in rest]
    return [_stage_pair(one, other) for one, other in pairs]


def _in(stage: Mapping[str, object], row: Row) -> bool:
    return any(one["label"] == stage["label"] for one in row.details["stages"])


def _stage_pair(a: Mapping[str, Any] | None, b: Mapping[str, Any] | None) -> dict[str, Any]:
    one, other = a or {}, b or {}
    labels = [stage["label"] for stage in (a, b) if stage]
    facts = {name: _pair(one.get(name), other.get(name)) for name in ("seconds", "peak_memory")}
    return {"stage": " / ".join(dict.fromkeys(labels)), "shared": bool(a and b) and one["key"] == other["key"], **facts}


def lines(compared: Mapping[str, Any]) -> Iterator[str]:
    """The comparison for reading."""
    size, checks, intervals = compared["size"], compared["checks"], compared["intervals"]
    blocks: list[tuple[str, list[list[str]]]] = [
        ("settings that differ", [[key, *_both(pair, setting_text)] for key, pair in compared["settings"].items()]),
        (
            "size",
            [
                ["optimized", *_both(size["optimized"], megabytes), _change(size["optimized"])],
                ["x converted", *_both(size["ratio_to_converted"], lambda value: f"{value:.3f}")],
            ],
        ),
        (
            "metrics",
            [
                _metric(ident, pair, checks.get(ident, {}), intervals.get(ident, {}))
                for ident, pair in compared["metrics"].items()
            ],
        ),
        ("stages (time, peak memory)", [*_costs(compared)]),
        ("libraries that differ", [[key, *_both(pair, str)] for key, pair in compared["libraries"].items()]),
        ("made with", [[key, *_both(pair, setting_text)] for key, pair in compared["made_with"].items()]),
    ]
    yield from (f"{side.upper()}  {compared[side]}  {compared['status'][side]}" for side in ("a", "b"))
    for title, cells in blocks:
        yield from ("", title if cells else f"{title}: none")
        filled = [[*row, *[""] * (4 - len(row))] for row in cells]
        yield from (f"  {line}" for line in aligned(filled, widest=_WIDEST))


def _both(pair: Mapping[str, Any], word: Callable[[Any], str]) -> list[str]:
    return ["-" if pair[side] is None else word(pair[side]) for side in ("a", "b")]


def _change(pair: Mapping[str, object]) -> str:
    """How B stands to A: `x 0.87`; nothing where one has no number."""
    return f"x {pair['ratio']:.3g}" if "ratio" in pair else ""


def _metric(
    ident: str, pair: Mapping[str, Any], met: Mapping[str, Any], intervals: Mapping[str, Sequence[float] | None]
) -> list[str]:
    marks = {True: " ✓", False: " ✗", None: ""}
    texts = zip("ab", _both(pair, number), strict=True)
    values = [f"{text}{interval_text(intervals.get(side))}{marks[met.get(side)]}" for side, text in texts]
    return [ident, *values, _change(pair)]


def _costs(compared: Mapping[str, Any]) -> Iterable[list[str]]:
    totals = [{"stage": "all", "shared": False} | {name: compared[name] for name in ("seconds", "peak_memory")}]
    for stage in [*compared["stages"], *totals]:
        costs = []
        for side in ("a", "b"):
            time, memory = stage["seconds"][side], stage["peak_memory"][side]
            costs.append("-" if time is None else f"{seconds(time)}, {megabytes(memory)}")
        yield [stage["stage"], *costs, "the same run" if stage["shared"] else _change(stage["seconds"])]
