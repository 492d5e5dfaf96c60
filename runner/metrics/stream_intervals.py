"""The 95 % intervals of metrics that are measured while outputs stream: of tokens, and of rows of outputs.

Tokens count as drawn independently; those of one text are alike, so the true intervals are somewhat wider.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import bdtrik

from runner.metrics.intervals import LEVEL, Estimate, estimate
from runner.metrics.kld import same_top

if TYPE_CHECKING:
    from runner.metrics.intervals import Numbers
    from runner.metrics.kld import Scores
    from runner.metrics.output_error import Tally

QUANTILES = {
    "kl_divergence_median": 0.5,
    "kl_divergence_p95": 0.95,
    "kl_divergence_p99": 0.99,
    "kl_divergence_p999": 0.999,
}


def of_tokens(model: Scores, reference: Scores) -> dict[str, object]:
    """What a divergence tells beside its values, as `runner.metrics.figures` words it; a maximum has no interval."""
    divergence = np.sort(model.divergence.astype(np.float64))
    change = _mean(model.loss.astype(np.float64) - reference.loss)
    found = {
        "kl_divergence": _mean(divergence),
        **{name: quantile(divergence, share) for name, share in QUANTILES.items()},
        "same_top_token": _mean(same_top(model.top, reference.top)),
        "ln_ppl_ratio": change,
        "perplexity": _through(math.exp, _mean(model.loss.astype(np.float64))),
    }
    relative = _through(math.expm1, change)
    apart = {"value": relative.value, "interval": relative.interval, "method": relative.method}
    told = _told(found) | {"rows": len(model.loss), "relative_differences": {"perplexity": apart}}
    own = _through(math.exp, _mean(reference.loss.astype(np.float64))).interval
    return told | {"reference_intervals": {"perplexity": own} if own else {}}


def of_rows(tally: Tally) -> dict[str, object]:
    """The same of output error: each row of an output counts by its own noise and signal."""
    sums = np.stack([np.concatenate(tally.noises), np.concatenate(tally.signals)], axis=1)
    finite = bool(np.isfinite(sums).all())
    ratio = _through(math.sqrt, _floored(estimate(sums, "ratio"))) if finite else Estimate(math.nan)
    found = {
        "relative_l2": ratio,
        "cosine_similarity": _capped(_mean(np.concatenate(tally.cosines)), 1.0),
        "sqnr": _through(tally.sqnr, ratio),
    }
    return _told(found) | {"rows": len(sums)}


def quantile(ordered: Numbers, share: float) -> Estimate:
    """The interval of a quantile between two of the sorted values, whatever their distribution."""
    count, tail = len(ordered), (1 - LEVEL) / 2
    if not count or np.isnan(ordered[-1]):
        return Estimate(math.nan)
    low, high = (int(np.ceil(bdtrik(one, count, share))) for one in (tail, 1 - tail))
    if high >= count or low < 1:
        return Estimate(float(np.quantile(ordered, share)))  # too few values to bound it
    ends = float(ordered[low - 1]), float(ordered[high])
    return Estimate(float(np.quantile(ordered, share)), *ends, "order statistics")


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
