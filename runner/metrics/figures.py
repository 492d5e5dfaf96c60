"""A metric of rows that were kept, as a pure function: values, intervals, the difference on the same rows, and what
flipped. No model runs here.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from runner.errors import OvrunError, SourceError, StageError
from runner.metrics.flipped import flips, scores
from runner.metrics.intervals import Compared, Estimate, compare, estimate
from runner.registry.metrics import Family, Metric

if TYPE_CHECKING:
    from runner.metrics.intervals import Numbers
    from runner.metrics.kept import Kept
    from runner.recipe.types import Dataset

Targets = Mapping[str, Sequence[object]]
SEED = 0
"""Of the bootstrap: the same rows have the same interval, whatever the recipe."""


@dataclass(frozen=True)
class Measured:
    """What became of a metric.

    Attributes:
        result: plain data, as `runner.metrics.Measuring.evaluate` gives it.
        statistics: of the model's rows, [rows, k], and
        reference: of the reference's; None where it has no value of its own.
    """

    result: dict[str, object]
    statistics: Numbers
    reference: Numbers | None = None


def measure(
    family: Family,
    kept: Kept,
    reference: Kept,
    targets: Targets,
    settings: Mapping[str, object],
    *,
    seed: int = SEED,
    numbers: Sequence[int] = (),
) -> Measured:
    """Measure a model beside its reference.

    Args:
        family: of the one metric.
        kept: what the model gave.
        reference: what the reference gave for the same rows.
        targets: role -> the dataset's value for each row.
        settings: those of the check that the function takes.
        seed: of the bootstrap.
        numbers: which rows of the whole dataset these are, from 0; by default the first.

    Raises:
        SourceError: the data don't fit the metric.
        StageError: the function fails, or gives no statistics.
    """
    _refuse_others(family, kept, reference, targets)
    own = statistics(family, kept, reference, targets, settings)
    base = None if family.compares else statistics(family, reference, reference, targets, settings)
    metric = family.metrics[0]
    if base is None:
        found = Compared(estimate(own, family.aggregate, seed=seed), *[Estimate(math.nan)] * 3)
    else:
        found = compare(own, base, family.aggregate, seed=seed)
    result: dict[str, object] = {
        "protocol": {**kept.protocol, "settings": dict(settings), "function": name_of(family)},
        "rows": len(own),
        "seed": seed,
        **told(metric, found, base is not None),
        "details": _details(family, kept, own),
    }
    if base is not None:
        result["flipped"] = flips(scores(family, own), scores(family, base), metric.better, numbers)
    return Measured(result, own, base)


def targets_of(dataset: Dataset, roles: Sequence[str]) -> tuple[dict[str, list[object]], list[int]]:
    """Role -> the dataset's value for each row that is used, and which rows of the whole these are.

    Raises:
        SourceError: the dataset lacks a role, or can't be read.
    """
    from runner.data import table

    found: dict[str, list[object]] = {role: [] for role in roles}
    numbers = []
    for row in table.rows(dataset, roles) if roles else ():
        numbers.append(row.number)
        for role in roles:
            found[role].append(row.values[role])
    return found, numbers


def statistics(
    family: Family, kept: Kept, reference: Kept, targets: Targets, settings: Mapping[str, object]
) -> Numbers:
    """What the metric's function gives for each row, [rows, k]; NaN where that is infinite.

    Raises:
        SourceError: the function says that the data don't fit.
        StageError: it fails, or gives something else.
    """
    assert family.function is not None
    given = (kept, reference, targets) if family.compares else (kept, targets)
    try:
        found = np.asarray(family.function(*given, **settings), np.float64)
    except OvrunError:
        raise
    except Exception as error:  # somebody else's code
        message = f"{name_of(family)} failed: {error!r}"
        raise StageError(message) from error
    wide = found[:, None] if found.ndim == 1 else found
    if wide.ndim != 2 or len(wide) != kept.count or not wide.shape[1]:
        message = f"{name_of(family)} gave an array of shape {list(found.shape)}, not one number, or one line of "
        raise StageError(message + f"numbers, for each of {kept.count} rows")
    return np.where(np.isfinite(wide), wide, np.nan)


def name_of(family: Family) -> str:
    """The function by its dotted name."""
    function = family.function
    return f"{function.__module__}.{function.__qualname__}" if function else ""


def _refuse_others(family: Family, kept: Kept, reference: Kept, targets: Targets) -> None:
    """Refuse rows that the metric doesn't take, and those of another dataset."""
    if family.rows and kept.gives not in family.measured_on:
        message = f"{family.name} is measured on {' or '.join(family.measured_on)}, and the model gives {kept.gives}"
        raise SourceError(message)
    counts = {kept.count, reference.count, *(len(column) for column in targets.values())}
    if len(counts) > 1:
        message = f"{family.name}: model, reference and data have {sorted(counts)} rows"
        raise StageError(message)


def told(metric: Metric, found: Compared, both: bool) -> dict[str, object]:
    """Values and intervals by the metric's name."""
    said: dict[str, object] = {
        "values": {metric.name: found.model.value},
        "reference_values": {metric.name: found.reference.value} if both else {},
        "intervals": _intervals(metric, found.model),
        "methods": {metric.name: found.model.method} if found.model.method else {},
    }
    if both:
        said["reference_intervals"] = _intervals(metric, found.reference)
        said["differences"] = {metric.name: _apart(metric, found.difference, clipped=True)}
        said["relative_differences"] = {metric.name: _apart(metric, found.relative, clipped=False)}
    return said


def _intervals(metric: Metric, found: Estimate) -> dict[str, list[float]]:
    """An interval goes nowhere where no value is."""
    if found.interval is None:
        return {}
    return {metric.name: [min(max(end, metric.least), metric.most) for end in found.interval]}


def _apart(metric: Metric, found: Estimate, *, clipped: bool) -> dict[str, object]:
    widest = metric.most - metric.least if clipped else math.inf
    ends = found.interval and [min(max(end, -widest), widest) for end in found.interval]
    return {"value": found.value, "interval": ends, "method": found.method}


def _details(family: Family, kept: Kept, own: Numbers) -> dict[str, object]:
    """What else the statistics tell, and how many rows have no number."""
    lacking = np.isnan(own).any(1)
    told: dict[str, object] = {"rows_without_numbers": int(lacking.sum())}
    if lacking.any():
        told["first_row_without_number"] = int(lacking.argmax()) + 1
    if cut := kept.protocol.get("replies_cut"):
        told["replies_cut"] = cut
    if kept.not_finite:
        told["not_finite"] = str(kept.not_finite)
    return told | (dict(family.details(own)) if family.details else {})
