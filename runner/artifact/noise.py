"""The noise floor of a check, as far as it was measured: what the reference differs from itself by."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import TYPE_CHECKING, TypeAlias

from runner.base.figures import number
from runner.base.values import section
from runner.errors import StageError
from runner.plan.noise import ways
from runner.registry.gates import Better, GateKind
from runner.registry.metrics import METRICS
from runner.registry.noise import DEFAULTS

if TYPE_CHECKING:
    from runner.artifact.types import Manifest
    from runner.metrics.records import CheckRecord, NoiseRecord, NoiseWay
    from runner.plan.noise import Documents
    from runner.recipe.accuracy import Check
    from runner.store import Entry, Store

Read: TypeAlias = "Callable[[str], Entry | None]"


def reader(store: Store) -> Read:
    """What gives the entries of a store by their keys, and reads each once: many versions share them."""

    @cache
    def read(key: str) -> Entry | None:
        with contextlib.suppress(StageError):  # without a store nothing is known
            return store.read(key)[0]
        return None

    return read


def measured(documents: Documents, key: str, metric: str, read: Read) -> NoiseRecord | None:
    """What is known of the noise of a metric; None where a way of measuring it is not in the store, or there is none.

    Args:
        documents: key -> key document, of the stages of a plan or of a manifest.
        key: of the stage that measured the check.
        read: of the store, as `reader` makes it.
    """
    found: dict[str, NoiseWay] = {}
    for way in ways(documents, key):
        entry = read(way.key)
        if entry is None:
            return None
        found[way.name] = _way(entry, way.key, metric)
    if not found:
        return None
    quiet = [way["noise"] for name, way in found.items() if name != DEFAULTS]
    apart = any(way["reference_value"] is not None for way in found.values())
    worst = max if apart or _better(metric) == Better.LOWER else min
    numbers = [one for one in quiet if one is not None]
    floor = worst(numbers) if len(numbers) == len(quiet) else None
    return {"kind": "difference" if apart else "value", "floor": floor, "within": False, "ways": found}


def with_noise(check: CheckRecord, documents: Documents, read: Read) -> CheckRecord:
    """A check with the noise floor that the store has of it, unless it has one of its own."""
    if check.get("noise") or not check.get("key"):
        return check
    found = measured(documents, check["key"], check["metric"], read)
    if found:
        found["within"] = is_within(found, check)
    return {**check, "noise": found}


def looked_up(manifest: Manifest, read: Read) -> list[CheckRecord]:
    """The checks of a version with their noise floors, also those that were measured after it was published."""
    documents = {stage["key"]: stage["document"] for stage in manifest["stages"]}
    return [with_noise(check, documents, read) for check in manifest["checks"]]


def is_within(noise: NoiseRecord, check: CheckRecord) -> bool:
    """Whether the model is no further from the reference than that is from itself."""
    value, base, floor = check["value"], check["reference_value"], noise["floor"]
    if value is None or floor is None:
        return False
    if noise["kind"] == "difference":
        return base is not None and abs(value - base) <= floor
    return abs(value) <= floor if _better(check["metric"]) == Better.LOWER else value >= floor


def tighter(check: Check, noise: NoiseRecord) -> list[GateKind]:
    """The gates of a check that ask for less than the reference differs from itself by: noise decides of these."""
    floor = noise["floor"]
    base = next((way["reference_value"] for way in noise["ways"].values()), None)
    bounds = {GateKind.MAX_DROP: floor, GateKind.MAX_RELATIVE_INCREASE: floor and floor / abs(base) if base else None}
    if noise["kind"] == "value":
        bounds = {GateKind.MAX if _better(check.metric) == Better.LOWER else GateKind.MIN: floor}
    found = []
    for gate, bound in bounds.items():
        limit = getattr(check, gate)
        if limit is not None and bound is not None and (limit > bound if gate == GateKind.MIN else limit < bound):
            found.append(gate)
    return found


def noise_text(noise: NoiseRecord | None) -> str:
    """A noise floor behind its check: `3e-09`, `± 0.002`; empty where none is known."""
    if not noise:
        return ""
    return figure(noise, noise["floor"]) + (", within noise" if noise["within"] else "")


def figure(noise: NoiseRecord, value: float | None) -> str:
    """A number of a noise floor."""
    return ("± " if noise["kind"] == "difference" and value is not None else "") + number(value)


def defaults_text(checks: Iterable[CheckRecord]) -> list[str]:
    """What OpenVINO's own precision adds to each metric of which that is known."""
    told = []
    for check in checks:
        noise = check.get("noise")
        if noise and DEFAULTS in noise["ways"]:
            told.append(f"{check['metric']} {figure(noise, noise['ways'][DEFAULTS]['noise'])}")
    return told


def _way(entry: Entry, key: str, metric: str) -> NoiseWay:
    value, base = (_finite(section(entry.result, part), metric) for part in ("values", "reference_values"))
    lower = _better(metric) == Better.LOWER
    noise = None if value is None else abs(value - base) if base is not None else abs(value) if lower else value
    return {"key": key, "value": value, "reference_value": base, "noise": noise}


def _finite(values: Mapping[str, object], metric: str) -> float | None:
    found = values.get(metric)
    return float(found) if isinstance(found, int | float) and math.isfinite(found) else None


def _better(metric: str) -> Better:
    return METRICS[metric].better if metric in METRICS else Better.LOWER
