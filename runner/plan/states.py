"""How far a plan is: which of its stages are stored, which have to run, and why."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from runner.plan.types import Plan, Stage
    from runner.store import Store


@dataclass(frozen=True)
class PlannedStage:
    """A stage of a recipe's plan.

    Attributes:
        key: 64 hex digits, made of all that shapes its output.
        cached: whether its output is in the store.
        needed: whether a run would make it now; what only finished stages need is not.
        name: of the stage itself: `convert`, `quantize`, …
        why: what makes it needed.
        seconds: what it took when it ran, of one that is cached; of one that is needed, what it is expected to take.
        memory: the peak that is expected of one that is needed, in bytes.
        disk: the bytes that it is expected to write; 0 where that is little, or nobody knows.
    """

    label: str
    key: str
    cached: bool
    needed: bool
    name: str
    why: str = ""
    seconds: float | None = None
    memory: int | None = None
    disk: int | None = None


def planned(plan: Plan, store: Store) -> list[PlannedStage]:
    """The stages of a plan as a store has them, in their order."""
    from runner.plan.graph import make_graph

    damaged = {stage.key for stage in plan.stages if store.damaged(stage.key)}
    needed = {stage.key for stage in make_graph([plan]).needed(store)}
    recent = store.recent(plan.recipe.name)
    found = []
    for stage in plan.stages:
        to_do = stage.key in needed
        why = _why(stage, plan, needed, damaged, recent) if to_do else ""
        cached = not to_do and store.has(stage.key)
        entry = store.find(stage.key) if cached else None
        seconds = entry.record["seconds"] if entry else None
        found.append(PlannedStage(stage.label, stage.key, cached, to_do, stage.name, why, seconds))
    return found


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


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """What changed between two key documents, in words: `ratio 0.8 → 0.6`, `nncf 3.3.0 → 3.4.0`, `model`."""
    found = []
    for part in ("params", "versions"):
        before, after = dict(_flat(old.get(part, {}))), dict(_flat(new.get(part, {})))
        for name in sorted({*before, *after}):
            if before.get(name) != after.get(name):
                found.append(f"{name} {_short(before.get(name))} → {_short(after.get(name))}")
    if old.get("revision") != new.get("revision"):
        found.append("ovrun does this stage differently now")
    if old.get("seed") != new.get("seed"):
        found.append(f"seed {_short(old.get('seed'))} → {_short(new.get('seed'))}")
    for part, words in (("files", "content"), ("datasets", "dataset"), ("inputs", "input")):
        before, after = old.get(part, {}), new.get(part, {})
        found += [f"{words} {name}" for name in sorted({*before, *after}) if before.get(name) != after.get(name)]
    return found


def _flat(values: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Values by their dotted names; those of a step of the recipe by their own."""
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from ((inner if name == "step" else f"{name}.{inner}", one) for inner, one in _flat(value))
        else:
            yield name, value


def _short(value: Any) -> str:
    text = "default" if value is None else str(value)
    return text if len(text) <= 40 else text[:37] + "…"
