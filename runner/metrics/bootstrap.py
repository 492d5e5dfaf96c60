"""The bootstrap over rows: an aggregate of statistics on rows that are drawn again and again, with replacement.

All models' statistics are drawn by the same rows, so that differences are paired.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtr, ndtri

from runner.base.values import Array
from runner.registry.metrics import OfSums

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Numbers = NDArray[np.float64]

DRAWS, LEAST_DRAWS = 2000, 400
_MOST_ROWS = 40_000_000
_GROUPS = 200
_BLOCK = 1 << 15
_KNOWN = 0.9


@dataclass(frozen=True)
class Resampled:
    """What an aggregate gives for some models' statistics.

    Attributes:
        values: on all rows, [models].
        draws: on rows drawn with replacement, [draws, models].
        left_out: on all rows but one group of them, [groups, models].
    """

    values: Numbers
    draws: Numbers
    left_out: Numbers

    def interval(self, of: Callable[[Numbers], Numbers], level: float) -> tuple[float, float]:
        """The BCa interval of a function of the models' values [..., models] -> [...].

        NaN where more than one draw in ten has no number.
        """
        draws, value = of(self.draws), float(of(self.values))
        known = draws[np.isfinite(draws)]
        if len(known) < _KNOWN * len(draws) or not math.isfinite(value):
            return math.nan, math.nan
        bias = _bias(known, value)
        skew = _acceleration(of(self.left_out))
        tails = ndtri(np.array([(1 - level) / 2, (1 + level) / 2])) + bias
        low, high = np.quantile(known, ndtr(bias + tails / (1 - skew * tails)))
        return float(low), float(high)


def resampled(
    models: Sequence[Numbers], aggregate: OfSums | Callable[..., object], seed: int, draws: int | None
) -> Resampled:
    """Draw rows, and leave groups of rows out.

    Args:
        models: statistics [rows, k] of each, of the same rows.
        aggregate: what makes a number of them.
        seed: of the draws.
        draws: how many.
    """
    rows = len(models[0])
    count = draws or draws_for(rows)
    rng = np.random.default_rng(seed)
    groups = np.array_split(rng.permutation(rows), min(rows, _GROUPS))
    if isinstance(aggregate, OfSums):
        return _of_sums(models, aggregate, groups, rng, count)
    given = aggregate

    def at(chosen: Array) -> list[float]:
        return [_number(given, model[chosen]) for model in models]

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a draw that has no number, such as one of a single class
        drawn = [at(chosen) for block in _blocks(rng, rows, count) for chosen in block]
        without = [at(np.delete(np.arange(rows), group)) for group in groups] if rows > 1 else []
    values = [float(np.asarray(given(model), np.float64)) for model in models]
    return Resampled(np.array(values), np.array(drawn), np.array(without).reshape(-1, len(models)))


def draws_for(rows: int) -> int:
    """2,000, fewer where there are over 20,000 rows."""
    return max(LEAST_DRAWS, min(DRAWS, _MOST_ROWS // max(1, rows)))


def _of_sums(
    models: Sequence[Numbers], aggregate: OfSums, groups: list[NDArray[np.int64]], rng: np.random.Generator, count: int
) -> Resampled:
    """By how often each row is drawn, without a copy of any row."""
    rows, columns = models[0].shape
    wide = np.concatenate(models, axis=1)

    def of(sums: Numbers) -> Numbers:
        with np.errstate(all="ignore"):
            found = [aggregate.function(sums[..., i * columns : (i + 1) * columns]) for i in range(len(models))]
        return np.stack([np.asarray(one, np.float64) for one in found], axis=-1)

    drawn = np.concatenate([_times(block, rows) @ wide for block in _blocks(rng, rows, count)])
    total = wide.sum(0)
    starts = np.cumsum([0, *(len(group) for group in groups[:-1])])
    without = total - np.add.reduceat(wide[np.concatenate(groups)], starts)
    return Resampled(of(total), of(drawn), of(without))


def _blocks(rng: np.random.Generator, rows: int, count: int) -> Iterator[NDArray[np.int32]]:
    """Numbers of the rows drawn, [draws, rows], some draws at a time."""
    step = max(1, _BLOCK // rows)
    for start in range(0, count, step):
        yield rng.integers(0, rows, (min(step, count - start), rows), dtype=np.int32)


def _times(drawn: NDArray[np.int32], rows: int) -> Numbers:
    """How often each row is drawn, [draws, rows]."""
    places = drawn + np.int32(rows) * np.arange(len(drawn), dtype=np.int32)[:, None]
    return np.bincount(places.ravel(), minlength=drawn.size).reshape(drawn.shape).astype(np.float64)


def _number(aggregate: Callable[..., object], statistics: Numbers) -> float:
    try:
        return float(np.asarray(aggregate(statistics), np.float64))
    except (ValueError, ZeroDivisionError):  # a draw that the aggregate has no number for
        return math.nan


def _bias(draws: Numbers, value: float) -> float:
    """How far the draws' median is from the value, in standard deviations."""
    below = ((draws < value).sum() + 0.5 * (draws == value).sum()) / len(draws)
    least = 1 / (2 * len(draws))
    return float(ndtri(min(max(below, least), 1 - least)))


def _acceleration(left_out: Numbers) -> float:
    """How the spread changes with the value, from the skew of what groups of rows add to it."""
    found = left_out[np.isfinite(left_out)]
    away = found.mean() - found if len(found) else found
    spread = float((away**2).sum())
    return float((away**3).sum()) / (6 * spread**1.5) if spread > 0 else 0.0
