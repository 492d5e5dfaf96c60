"""The plan of a sweep: how many stages its points make, how many are shared, cached or to do, and what those take."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from runner.base.figures import megabytes, seconds
from runner.base.values import plain
from runner.base.words import plural
from runner.engine.estimate import Costs, Estimate
from runner.engine.forecast import forecast
from runner.plan.graph import Graph
from runner.recipe.types import Sweep
from runner.report.layout import aligned
from runner.stages import STAGES
from runner.store import Store

_COUNTS = ("all", "distinct", "cached", "to do", "seconds", "memory", "disk")
_MOST_LINES = 40
_SHOWN = 3


def describe_sweep(sweep: Sweep, graph: Graph, store: Store, jobs: int = 1) -> dict[str, object]:
    """The plan as plain data; the graph is that of the sweep's points, in their order.

    `own` and `shared` of a point are its stages that have to run: those of no other point, and the others. `expected`
    is what all of them take with so many side by side.
    """
    to_do = {stage.key for stage in graph.needed(store)}
    cached = {key for key in graph.stages if key not in to_do and store.has(key)}
    points = []
    for point, plan in zip(sweep.points, graph.plans, strict=True):
        own = sum(graph.uses[stage.key] == 1 for stage in plan.stages if stage.key in to_do)
        shared = sum(graph.uses[stage.key] > 1 for stage in plan.stages if stage.key in to_do)
        row = {"name": point.name, "settings": dict(point.settings), "stages": len(plan.stages)}
        points.append({**row, "own": own, "shared": shared})
    costs = _costs(graph, store, to_do)
    told = [(graph.stages[key], cost) for key, cost in costs.items()]
    return {
        "sweep": sweep.name,
        "file": str(sweep.points[0].recipe.path),
        "keys": list(sweep.keys),
        "stages": {"all": graph.total, "distinct": len(graph.stages), "cached": len(cached), "to do": len(to_do)},
        "kinds": _kinds(graph, costs, cached),
        "graph": [_row(graph, key, costs.get(key), cached=key in cached) for key in graph.stages],
        "expected": {**asdict(forecast(told, jobs)), "jobs": jobs} if told else None,
        "points": points,
    }


def _costs(graph: Graph, store: Store, to_do: Collection[str]) -> dict[str, Estimate]:
    """Key -> what a stage that has to run is expected to cost; in the order of the data."""
    if not to_do:
        return {}
    estimated = Costs(store).estimate(list(graph.stages.values()))
    return {stage.key: estimate for stage, estimate in estimated if stage.key in to_do}


def _row(graph: Graph, key: str, cost: Estimate | None, *, cached: bool) -> dict[str, object]:
    """A stage of the merged graph, as the plan of a recipe has it, and of how many points it is."""
    stage = graph.stages[key]
    state = "to do" if cost else "cached" if cached else "not needed"
    row = {"stage": stage.name, "label": stage.label, "key": key, "state": state, "points": graph.uses[key]}
    return {**row, **{name: cost and getattr(cost, name) for name in ("seconds", "memory", "disk")}}


def _kinds(graph: Graph, costs: Mapping[str, Estimate], cached: set[str]) -> list[dict[str, object]]:
    """The stages by what they do, in the order of the data; of those that have to run, what they take together."""
    rows: dict[str, dict[str, Any]] = {}
    for key, stage in graph.stages.items():
        row = rows.setdefault(stage.label, {"label": stage.label, **dict.fromkeys(_COUNTS, 0), "stage": stage.name})
        row["all"] += graph.uses[key]
        row["distinct"] += 1
        row["cached"] += key in cached
        if cost := costs.get(key):
            row["to do"] += 1
            row["seconds"] += cost.seconds
            row["memory"] = max(row["memory"], cost.memory)
            row["disk"] += cost.disk
    return sorted(rows.values(), key=lambda row: [*STAGES].index(row["stage"]) if row["stage"] in STAGES else 0)


def lines(described: Mapping[str, Any]) -> Iterator[str]:
    """The counts, a line for each kind of stage, and the points: each, or grouped where they are many."""
    stages, points, keys = described["stages"], described["points"], described["keys"]
    yield f"{described['sweep']}  ({described['file']})"
    counts = f"{stages['distinct']} distinct, {stages['cached']} cached"
    yield f"{plural(len(points), 'point')}, {plural(stages['all'], 'stage')}, {counts}"
    kinds = [_counts(row["label"], *(row[name] for name in _COUNTS)) for row in described["kinds"]]
    yield from _table([("stage", *_COUNTS[:4], "time", "memory", "disk"), *kinds])
    if len(points) <= _MOST_LINES:
        yield from _table([(*_short(keys), "own to do", "shared to do"), *(_cells(point, keys) for point in points)])
    else:
        yield from _table([("points", "own to do", "shared to do", "such as"), *_grouped(described)])
        yield "--json lists every point"
    if found := described["expected"]:
        yield ""
        yield _expected(*(found[name] for name in ("jobs", "seconds", "memory", "disk")))


def _counts(label: str, *numbers: int) -> tuple[object, ...]:
    """A kind of stages; what those that have to run take in sum, and of memory the most that one takes."""
    *counts, time, memory, disk = numbers
    if not memory:
        return (label, *counts, "", "", "")
    return (label, *counts, f"~ {seconds(time)}", megabytes(memory), megabytes(disk) if disk else "")


def _expected(jobs: int, time: float, memory: int, disk: int) -> str:
    """What a run is expected to take, as the plan of a recipe says it."""
    beside = f" with up to {plural(jobs, 'stage')} side by side" if jobs > 1 else ""
    costs = f"{megabytes(memory)} of memory at the peak, {megabytes(disk)} of disk"
    return f"expected{beside}: {seconds(time)}, {costs}"


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
