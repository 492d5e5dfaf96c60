"""How sure the figures of a pass over text are: 95 % intervals, for which windows count as drawn independently.

Tokens of one window go together, so intervals by tokens would be too narrow. With fewer than 8 windows there is no
other choice, and tokens count.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from runner.metrics.intervals import LEVEL, Estimate, compare, estimate
from runner.metrics.kld import Scores, same_top
from runner.registry.metrics import METRICS, OfSums

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_LEAST = 8
_DRAWS, _LEAST_DRAWS, _MOST_TOKENS = 400, 100, 40_000_000
_SEED = 0
_QUANTILES = {
    "kl_divergence_median": 0.5,
    "kl_divergence_p95": 0.95,
    "kl_divergence_p99": 0.99,
    "kl_divergence_p999": 0.999,
}


def intervals(scored: Sequence[int], model: Scores, reference: Scores) -> dict[str, object]:
    """Those of the divergence set, and the difference of perplexity, as `runner.metrics.figures` tells them.

    Args:
        scored: how many tokens are scored in each window.
        model: of all tokens.
        reference: of the same.
    """
    units = Units(scored)
    divergence = model.divergence.astype(np.float64)
    change = model.loss.astype(np.float64) - reference.loss
    found = {
        "kl_divergence": units.mean(divergence),
        "same_top_token": units.mean(same_top(model.top, reference.top)),
        "ln_ppl_ratio": units.mean(change),
        **dict(zip(_QUANTILES, units.quantiles(divergence, list(_QUANTILES.values())), strict=True)),
    }
    both = compare(units.sums(model.loss), units.sums(reference.loss), OfSums(_perplexity), seed=_SEED)
    found["perplexity"] = both.model
    return {
        "rows": len(divergence),
        "seed": _SEED,
        "intervals": clipped(found),
        "reference_intervals": clipped({"perplexity": both.reference}),
        "differences": {"perplexity": _apart(both.difference)},
        "relative_differences": {"perplexity": _apart(both.relative)},
        "methods": {name: f"{one.method}, by {units.told}" for name, one in found.items() if one.method},
    }


class Units:
    """What counts as drawn independently: windows, or tokens where there are few windows."""

    def __init__(self, scored: Sequence[int]) -> None:
        self.told = "windows" if len(scored) >= _LEAST else "tokens"
        self.counts = np.asarray(scored if self.told == "windows" else np.ones(sum(scored)), np.int64)
        self._of_token = np.repeat(np.arange(len(self.counts)), self.counts)

    def sums(self, values: NDArray[np.floating]) -> Floats:
        """(sum, tokens) of each unit, [units, 2]."""
        return np.stack([self.totals(values), self.counts], 1).astype(np.float64)

    def totals(self, values: NDArray[np.floating]) -> Floats:
        """The sum of each unit, [units]."""
        return np.asarray(np.bincount(self._of_token, values, len(self.counts)), np.float64)

    def mean(self, values: Floats) -> Estimate:
        """The mean over tokens."""
        return estimate(self.sums(values), "ratio", seed=_SEED)

    def quantiles(self, values: Floats, levels: list[float]) -> list[Estimate]:
        """Some quantiles over tokens, by the bootstrap."""
        found = np.quantile(values, levels)
        if not np.isfinite(values).all() or len(self.counts) < 2:
            return [Estimate(float(one)) for one in found]
        starts = np.cumsum(self.counts) - self.counts
        rng = np.random.default_rng(_SEED)
        draws = max(_LEAST_DRAWS, min(_DRAWS, _MOST_TOKENS // len(values)))
        drawn = [np.quantile(values[self._places(rng, starts)], levels) for _ in range(draws)]
        low, high = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
        rows = zip(found, low, high, strict=True)
        return [Estimate(float(at), float(one), float(other), "bootstrap (percentile)") for at, one, other in rows]

    def _places(self, rng: np.random.Generator, starts: NDArray[np.int64]) -> NDArray[np.int64]:
        """The tokens of as many units as there are, drawn with replacement."""
        drawn = rng.integers(0, len(self.counts), len(self.counts))
        counts = self.counts[drawn]
        within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        return np.asarray(np.repeat(starts[drawn], counts) + within, np.int64)


def _perplexity(sums: Floats) -> Floats:
    return np.asarray(np.exp(sums[..., 0] / sums[..., 1]), np.float64)


def clipped(found: Mapping[str, Estimate]) -> dict[str, list[float]]:
    """The intervals that there are, within what a metric can be."""
    told = {name: one.interval for name, one in found.items()}
    return {
        name: [min(max(end, METRICS[name].least), METRICS[name].most) for end in ends]
        for name, ends in told.items()
        if ends is not None
    }


def _apart(found: Estimate) -> dict[str, object]:
    value = found.value if math.isfinite(found.value) else math.nan
    return {"value": value, "interval": found.interval, "method": found.method}
