"""The 95 % intervals of output errors, which are measured while outputs stream.

Rows count as drawn independently. Where they are the tokens of texts, which go together, windows of these do, as
`runner.metrics.windowed` has it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from runner.metrics.intervals import Estimate, estimate
from runner.metrics.windowed import Units

if TYPE_CHECKING:
    from runner.metrics.intervals import Numbers
    from runner.metrics.output_error import Tally


def of_rows(tally: Tally, windows: Sequence[int] = ()) -> dict[str, object]:
    """What an output error tells beside its values: each row of an output counts by its own noise and signal.

    Args:
        windows: how many tokens each has, where rows are tokens.
    """
    noises, signals, cosines = (np.concatenate(one) for one in (tally.noises, tally.signals, tally.cosines))
    units = Units(windows) if sum(windows) == len(noises) else None
    sums = np.stack([units.totals(one) if units else one for one in (noises, signals)], axis=1)
    finite = bool(np.isfinite(sums).all())
    ratio = _through(math.sqrt, _floored(estimate(sums, "ratio"))) if finite else Estimate(math.nan)
    found = {
        "relative_l2": ratio,
        "cosine_similarity": _capped(units.mean(cosines) if units else _mean(cosines), 1.0),
        "sqnr": _through(tally.sqnr, ratio),
    }
    return _told(found, f", by {units.told}" if units else "") | {"rows": len(noises)}


def _mean(values: Numbers) -> Estimate:
    return estimate(np.asarray(values, np.float64)[:, None], "mean")


def _through(function: Callable[[float], float], found: Estimate) -> Estimate:
    """The estimate of a function that grows or falls with it."""
    if found.interval is None:
        return Estimate(function(found.value) if math.isfinite(found.value) else math.nan)
    one, other = function(found.low), function(found.high)
    return Estimate(function(found.value), min(one, other), max(one, other), found.method)


def _floored(found: Estimate) -> Estimate:
    return Estimate(max(0.0, found.value), max(0.0, found.low), max(0.0, found.high), found.method)


def _capped(found: Estimate, most: float) -> Estimate:
    return Estimate(found.value, found.low, min(most, found.high), found.method)


def _told(found: Mapping[str, Estimate], by: str) -> dict[str, object]:
    known = {name: one for name, one in found.items() if one.interval is not None}
    intervals = {name: one.interval for name, one in known.items()}
    return {"intervals": intervals, "methods": {name: one.method + by for name, one in known.items()}}
