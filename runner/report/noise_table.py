"""`ovrun noise`: the noise floors of a recipe's checks in a table, and as plain data."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from runner.artifact.checks import interval_text
from runner.artifact.noise import figure
from runner.base.figures import number, seconds
from runner.registry.noise import WORDS
from runner.report.console import shown
from runner.report.layout import aligned

if TYPE_CHECKING:
    from runner.run.noise import Floors, Noise


def lines(floors: Floors) -> Iterator[str]:
    """A line a check: what each way measured, the floor, and what the model measured, if it did already."""
    names = [name for name in WORDS if any(one.noise and name in one.noise["ways"] for one in floors.checks)]
    heads = ["metric", "dataset", *(WORDS[name] for name in names), "noise floor", "the model"]
    cells = [[one.metric, one.dataset, *_numbers(one, names), _model(one)] for one in floors.checks]
    yield ""
    yield from (f"  {line}" for line in aligned([heads, *cells], right=range(2, 3 + len(names))))
    if any(one.noise is None for one in floors.checks):
        yield "  -: nothing of it can be measured in another way"
    for one in floors.checks:
        for gate in one.tighter:
            words = gate.value.replace("_", " ")
            yield f"  note: {one.metric} on {one.dataset}: {words} asks for less than the noise floor, so noise decides"
    log = f"  log {shown(floors.end.log)}" if floors.end.log else ""
    yield f"Measured in {seconds(floors.end.seconds)}{log}"


def quiet(floors: Floors) -> Iterator[str]:
    """Metric, dataset and floor of each check."""
    yield from (f"{one.metric} {one.dataset} {number(one.noise and one.noise['floor'])}" for one in floors.checks)


def document(floors: Floors) -> dict[str, object]:
    """All of it."""
    end = floors.end
    return {
        "name": end.name,
        "status": "measured",
        "seconds": round(end.seconds, 3),
        "ran": [stage.label for stage in end.points[0].plan.stages if stage.key in end.ran],
        "log": str(end.log) if end.log else None,
        "checks": [_plain(one) for one in floors.checks],
    }


def _plain(one: Noise) -> dict[str, object]:
    found = {"metric": one.metric, "dataset": one.dataset, "noise": one.noise, "tighter": list(one.tighter)}
    return found | {"value": one.check and one.check["value"], "within": bool(one.noise and one.noise["within"])}


def _numbers(one: Noise, names: list[str]) -> Iterator[str]:
    """What each way measured, then the floor."""
    for name in names:
        way = one.noise["ways"].get(name) if one.noise else None
        yield figure(one.noise, way["noise"]) if one.noise and way else "-"
    yield figure(one.noise, one.noise["floor"]) if one.noise else "-"


def _model(one: Noise) -> str:
    """What the recipe's model measured: a value, or how far that is from the reference's."""
    if one.check is None or one.check["value"] is None:
        return "not measured yet"
    value, base = one.check["value"], one.check["reference_value"]
    own = interval_text(one.check.get("intervals", {}).get(one.metric))
    told = f"{number(value)}{own}" if base is None else f"{value - base:+.4g} from {number(base)}"
    return f"{told}, within noise" if one.noise and one.noise["within"] else told
