"""The plan of a recipe as a table: each stage, its key, whether it is cached, and why not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from runner.base.figures import seconds
from runner.base.words import plural
from runner.plan.graph import make_graph
from runner.plan.types import Plan, Stage
from runner.report.differences import differences
from runner.report.layout import aligned
from runner.store import Store


def describe(plan: Plan, store: Store) -> dict[str, Any]:
    """The plan as plain data: `state` of a stage is `cached`, `to do` or `not needed`."""
    damaged = {stage.key for stage in plan.stages if store.damaged(stage.key)}
    to_do = {stage.key for stage in make_graph([plan]).needed(store)}
    recent = store.recent(plan.recipe.name)
    rows = []
    for stage in plan.stages:
        state = "to do" if stage.key in to_do else "cached" if store.has(stage.key) else "not needed"
        why = _why(stage, plan, to_do, damaged, recent) if state == "to do" else ""
        entry = store.find(stage.key) if state == "cached" else None
        rows.append(
            {
                "stage": stage.name,
                "label": stage.label,
                "key": stage.key,
                "state": state,
                "why": why,
                "seconds": entry.record["seconds"] if entry else None,
            }
        )
    return {"recipe": plan.recipe.name, "file": str(plan.recipe.path), "stages": rows}


def _why(stage: Stage, plan: Plan, to_do: set[str], damaged: set[str], recent: Mapping[str, Any]) -> str:
    if stage.key in damaged:
        return "its stored files were changed or are incomplete"
    upstream = [plan.stage(key).label for key in stage.after.values() if key in to_do]
    if stage.label not in recent:
        return f"after {', '.join(upstream)}" if upstream else "never run"
    changes = [change for change in differences(recent[stage.label], stage.document) if not change.startswith("input ")]
    if changes:
        return "changed: " + ", ".join(changes)
    if upstream:
        return f"after {', '.join(upstream)}"
    return "not in the store any more" if recent[stage.label] == stage.document else "its input changed"


def lines(plan: Mapping[str, Any]) -> Iterator[str]:
    """The plan for reading."""
    rows = plan["stages"]
    yield f"{plan['recipe']}  ({plan['file']})"
    yield from (f"  {line}" for line in aligned([_cells(row) for row in rows]))
    to_do = sum(row["state"] == "to do" for row in rows)
    cached = sum(row["state"] == "cached" for row in rows)
    yield f"{plural(len(rows), 'stage')}: {to_do} to do, {cached} cached"


def _cells(row: Mapping[str, Any]) -> tuple[str, ...]:
    note = row["why"] if row["state"] == "to do" else ""
    if row["seconds"] is not None:
        note = f"took {seconds(row['seconds'])}"
    return row["label"], row["key"][:12], f"{row['state']:<10}", note
