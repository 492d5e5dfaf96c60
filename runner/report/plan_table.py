"""The plan of a recipe as a table: each stage, its key, whether it is cached, and why not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from runner.base.figures import megabytes, seconds
from runner.base.words import plural
from runner.plan.states import PlannedStage
from runner.recipe.types import Recipe
from runner.report.layout import aligned


def describe(recipe: Recipe, stages: Sequence[PlannedStage]) -> dict[str, object]:
    """The plan as plain data: `state` of a stage is `cached`, `to do` or `not needed`."""
    return {"recipe": recipe.name, "file": str(recipe.path), "stages": [_row(stage) for stage in stages]}


def _row(stage: PlannedStage) -> dict[str, object]:
    state = "to do" if stage.needed else "cached" if stage.cached else "not needed"
    names = {"stage": stage.name, "label": stage.label, "key": stage.key, "state": state, "why": stage.why}
    return {**names, "seconds": stage.seconds, "memory": stage.memory, "disk": stage.disk}


def lines(plan: Mapping[str, Any]) -> Iterator[str]:
    """The plan for reading."""
    rows = plan["stages"]
    yield f"{plan['recipe']}  ({plan['file']})"
    yield from (f"  {line}" for line in aligned([_cells(row) for row in rows]))
    to_do = sum(row["state"] == "to do" for row in rows)
    cached = sum(row["state"] == "cached" for row in rows)
    yield f"{plural(len(rows), 'stage')}: {to_do} to do, {cached} cached"
    yield from (f"note: {note}" for note in plan.get("notes", ()))
    if new := [row for row in rows if row["memory"] is not None]:
        time, peak = seconds(sum(row["seconds"] for row in new)), megabytes(max(row["memory"] for row in new))
        disk = megabytes(sum(row["disk"] for row in new))
        yield f"expected: {time}, {peak} of memory at the peak, {disk} of disk"


def _cells(row: Mapping[str, Any]) -> tuple[str, ...]:
    note = ""
    if row["state"] == "to do":
        note = row["why"]
    elif row["seconds"] is not None:
        note = f"took {seconds(row['seconds'])}"
    cost = "" if row["memory"] is None else f"~ {seconds(row['seconds'])}, {megabytes(row['memory'])}"
    if cost and row["stage"] == "reference" and row["disk"]:
        cost += f", {megabytes(row['disk'])} of disk"
    return row["label"], row["key"][:12], f"{row['state']:<10}", cost, note
