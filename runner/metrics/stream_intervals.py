"""The 95 % intervals of output errors, which are measured while outputs stream.

Rows count as drawn independently; tokens of one text are alike, so of texts the true intervals are wider.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np

from runner.metrics.intervals import Estimate, estimate

if TYPE_CHECKING:
    from runner.metrics.intervals import Numbers
    from runner.metrics.output_error import Tally


def of_rows(tally: Tally) -> dict[str, object]:
    """What an output error tells beside its values: each row of an output counts by its own noise and signal."""
    sums = np.stack([np.concatenate(tally.noises), np.concatenate(tally.signals)], axis=1)
    finite = bool(np.isfinite(sums).all())
    ratio = _through(math.sqrt, _floored(estimate(sums, "ratio"))) if finite else Estimate(math.nan)
    found = {
        "relative_l2": ratio,
        "cosine_similarity": _capped(_mean(np.concatenate(tally.cosines)), 1.0),
        "sqnr": _through(tally.sqnr, ratio),
    }
    return _told(found) | {"rows": len(sums)}


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


def _told(found: Mapping[str, Estimate]) -> dict[str, object]:
    known = {name: one for name, one in found.items() if one.interval is not None}
    intervals = {name: one.interval for name, one in known.items()}
    return {"intervals": intervals, "methods": {name: one.method for name, one in known.items()}}
