"""What changed in a stage's key since the last run, in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any


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
