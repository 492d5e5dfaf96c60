"""The plan of a sweep: how many stages its points make, how many of them are shared, cached or to do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from runner.base.values import plain
from runner.base.words import plural
from runner.plan.graph import Graph
from runner.recipe.types import Sweep
from runner.report.layout import aligned
from runner.stages import STAGES
from runner.store import Store

_MOST_LINES = 40
_SHOWN = 3


def describe_sweep(sweep: Sweep, graph: Graph, store: Store) -> dict[str, object]:
    """The plan as plain data; the graph is that of the sweep's points, in their order.

    `own` and `shared` of a point are its stages that have to run: those of no other point, and the others.
    """
    to_do = {stage.key for stage in graph.needed(store)}
    cached = {key for key in graph.stages if key not in to_do and store.has(key)}
    points = []
    for point, plan in zip(sweep.points, graph.plans, strict=True):
        own = sum(graph.uses[stage.key] == 1 for stage in plan.stages if stage.key in to_do)
        shared = sum(graph.uses[stage.key] > 1 for stage in plan.stages if stage.key in to_do)
        row = {"name": point.name, "settings": dict(point.settings), "stages": len(plan.stages)}
        points.append({**row, "own": own, "shared": shared})
    return {
        "sweep": sweep.name,
        "file": str(sweep.points[0].recipe.path),
        "keys": list(sweep.keys),
        "stages": {"all": graph.total, "distinct": len(graph.stages), "cached": len(cached), "to do": len(to_do)},
        "kinds": _kinds(graph, to_do, cached),
        "points": points,
    }


def _kinds(graph: Graph, to_do: set[str], cached: set[str]) -> list[dict[str, object]]:
    """The stages by what they do, in the order of the data."""
    rows: dict[str, dict[str, Any]] = {}
    for key, stage in graph.stages.items():
        row = rows.setdefault(
            stage.label, {"label": stage.label, "all": 0, "distinct": 0, "cached": 0, "to do": 0, "stage": stage.name}
        )
        row["all"] += graph.uses[key]
        row["distinct"] += 1
        row["cached"] += key in cached
        row["to do"] += key in to_do
    return sorted(rows.values(), key=lambda row: [*STAGES].index(row["stage"]) if row["stage"] in STAGES else 0)


def lines(described: Mapping[str, Any]) -> Iterator[str]:
    """The counts, a line for each kind of stage, and the points: each, or grouped where they are many."""
    stages, points, keys = described["stages"], described["points"], described["keys"]
    yield f"{described['sweep']}  ({described['file']})"
    counts = f"{stages['distinct']} distinct, {stages['cached']} cached"
    yield f"{plural(len(points), 'point')}, {plural(stages['all'], 'stage')}, {counts}"
    names = ("all", "distinct", "cached", "to do")
    yield from _table(
        [("stage", *names), *((row["label"], *(row[name] for name in names)) for row in described["kinds"])]
    )
    if len(points) <= _MOST_LINES:
        yield from _table([(*_short(keys), "own to do", "shared to do"), *(_cells(point, keys) for point in points)])
    else:
        yield from _table([("points", "own to do", "shared to do", "such as"), *_grouped(described)])
        yield "--json lists every point"


def _grouped(described: Mapping[str, Any]) -> Iterator[tuple[Any, ...]]:
    """Points alike in what is to do for them, the most numerous first."""
    groups = Counter((point["own"], point["shared"]) for point in described["points"])
    for (own, shared), count in groups.most_common():
        examples = [p["name"] for p in described["points"] if (p["own"], p["shared"]) == (own, shared)][:_SHOWN]
        names = ", ".join(name.removeprefix(described["sweep"]) for name in examples)
        yield count, own, shared, names + (" …" if count > _SHOWN else "")


def _cells(point: Mapping[str, Any], keys: Sequence[str]) -> tuple[Any, ...]:
    settings = point["settings"]
    values = (_value(settings[key]) if key in settings else "-" for key in keys)
    return (*values, point["own"], point["shared"])


def _value(value: object) -> str:
    value = plain(value)
    return str(value).lower() if isinstance(value, bool) else "null" if value is None else str(value)


def _short(keys: Sequence[str]) -> list[str]:
    """The last parts of the keys, or the keys where that is not enough to tell them apart."""
    last = [key.rpartition(".")[2] for key in keys]
    return [short if last.count(short) == 1 else key for short, key in zip(last, keys, strict=True)]


def _table(rows: Sequence[tuple[object, ...]]) -> Iterator[str]:
    """Rows in aligned columns below their heading: texts to the left, numbers to the right."""
    columns = zip(*rows, strict=True)
    right = [at for at, column in enumerate(columns) if all(isinstance(cell, int) for cell in column[1:])]
    yield ""
    yield from (f"  {line}" for line in aligned([[str(cell) for cell in row] for row in rows], right=right))
