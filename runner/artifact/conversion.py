"""What the check of a conversion found, held against a tolerance; pure, so a changed one converts nothing anew."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypedDict, cast

from runner.base.figures import number


class Found(TypedDict):
    """`runner.export.comparing.Compared` as plain data."""

    original: str
    inputs: list[str]
    outputs: dict[str, float | None]
    faults: dict[str, str]
    unchecked: list[str]


def found_in(result: Mapping[str, object]) -> Found | None:
    """What a convert stage tells of its check; None where there was none."""
    return cast("Found | None", result.get("conversion"))


def misses(result: Mapping[str, object], tolerance: float) -> list[str]:
    """Each output that is farther from the original's than it may be, a sentence each."""
    found = found_in(result)
    if found is None:
        return []
    told = [f"its {_what(name)} {what}" for name, what in found["faults"].items()]
    far = {name: one for name, one in found["outputs"].items() if one is not None and one > tolerance}
    return told + [
        f"its output {name} has a relative L2 distance of {number(distance)}, above {tolerance:g}"
        for name, distance in far.items()
    ]


def _what(name: str) -> str:
    return f"part {name}" if name in ("encoder", "decoder") else "graph" if name == "model" else f"output {name}"


def line(result: Mapping[str, object], tolerance: float) -> str | None:
    """A sentence about the check for the model card; None where there was none."""
    found = found_in(result)
    if found is None:
        return None
    unchecked = f" Not compared: {'; '.join(found['unchecked'])}." if found["unchecked"] else ""
    missed = misses(result, tolerance)
    if missed:
        return f"The converted model misses its original ({found['original']}): {'; '.join(missed)}.{unchecked}"
    if not found["outputs"]:
        return f"The conversion was not checked.{unchecked}"
    most = max(distance or 0.0 for distance in found["outputs"].values())
    return (
        f"The converted model was held against its original ({found['original']}): on {len(found['inputs'])} inputs "
        f"the relative L2 distance of its outputs is at most {number(most)} (allowed: {tolerance:g}).{unchecked}"
    )
