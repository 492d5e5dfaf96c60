"""What a measure is on all rows, and how sure that is: 95 % intervals of a value and of a difference on paired rows.

A measure gives statistics [rows, k], and an aggregate makes one number of them. Proportions, and ratios of counts that
are 0 or 1 in all rows, have the exact interval of Clopper and Pearson, paired differences of proportions Tango's score
interval; means, ratios of sums and roots of means the delta method with Student's t; any other aggregate the bootstrap
over rows, corrected for bias and skew (BCa). The rows count as drawn independently.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import betaincinv, ndtri, stdtrit

from runner.metrics.bootstrap import Resampled, resampled
from runner.registry.metrics import Aggregate, OfSums

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Numbers = NDArray[np.float64]

LEVEL = 0.95
_TAIL = (1 - LEVEL) / 2
_STEPS = 60


@dataclass(frozen=True)
class Estimate:
    """A number, its 95 % interval and how that was found; NaN where there is none."""

    value: float
    low: float = math.nan
    high: float = math.nan
    method: str = ""

    @property
    def interval(self) -> list[float] | None:
        """The two ends, if there are any."""
        return [self.low, self.high] if math.isfinite(self.low) and math.isfinite(self.high) else None


@dataclass(frozen=True)
class Compared:
    """A measure of two models on the same rows.

    Attributes:
        model: of the one.
        reference: of the other.
        difference: model - reference.
        relative: model / reference - 1.
    """

    model: Estimate
    reference: Estimate
    difference: Estimate
    relative: Estimate


def value(statistics: Numbers, aggregate: Aggregate) -> float:
    """The measure on all rows; NaN where a row has no number.

    Args:
        statistics: [rows, k].
        aggregate: what makes one number of them.
    """
    if np.isnan(statistics).any():
        return math.nan
    if isinstance(aggregate, OfSums):
        return float(np.asarray(aggregate.function(statistics.sum(0)), np.float64))
    if callable(aggregate):
        return float(np.asarray(aggregate(statistics), np.float64))
    return _SMOOTH[aggregate](statistics)[0]


def estimate(statistics: Numbers, aggregate: Aggregate, *, seed: int = 0, draws: int | None = None) -> Estimate:
    """The measure and its interval.

    Args:
        statistics: [rows, k].
        aggregate: what makes one number of them.
        seed: of the bootstrap.
        draws: of the bootstrap; by default 2,000, fewer where there are over 20,000 rows.
    """
    if np.isnan(statistics).any():
        return Estimate(math.nan)
    if callable(aggregate) or isinstance(aggregate, OfSums):
        return _bootstrapped(resampled([statistics], aggregate, seed, draws), lambda both: both[..., 0])
    if _zero_or_one(statistics, aggregate):
        return proportion(int(statistics[:, 0].sum()), len(statistics))
    if aggregate == "ratio" and (all_rows := _none_or_all(statistics)) is not None:
        return proportion(all_rows, len(statistics))
    return _delta(*_SMOOTH[aggregate](statistics))


def compare(
    model: Numbers, reference: Numbers, aggregate: Aggregate, *, seed: int = 0, draws: int | None = None
) -> Compared:
    """The measure of two models on the same rows, and how they differ.

    Args:
        model: statistics [rows, k] of the one.
        reference: those of the other, row by row.
        aggregate, seed, draws: as of `estimate`.
    """
    if np.isnan(model).any() or np.isnan(reference).any():
        none = Estimate(math.nan)
        return Compared(estimate(model, aggregate), estimate(reference, aggregate), none, none)
    if callable(aggregate) or isinstance(aggregate, OfSums):
        found = resampled([model, reference], aggregate, seed, draws)
        return Compared(*(_bootstrapped(found, of) for of in (_first, _second, _difference, _relative)))
    one, other = _SMOOTH[aggregate](model), _SMOOTH[aggregate](reference)
    counted = _zero_or_one(model, aggregate) and _zero_or_one(reference, aggregate)
    return Compared(
        estimate(model, aggregate),
        estimate(reference, aggregate),
        paired_proportions(model[:, 0], reference[:, 0]) if counted else _delta(one[0] - other[0], one[1] - other[1]),
        _relative_delta(*one, *other),
    )


def proportion(successes: int, rows: int) -> Estimate:
    """A share of rows, with the exact interval of Clopper and Pearson: it covers 95 % or more, whatever the share."""
    low = float(betaincinv(successes, rows - successes + 1, _TAIL)) if successes else 0.0
    high = float(betaincinv(successes + 1, rows - successes, 1 - _TAIL)) if successes < rows else 1.0
    return Estimate(successes / rows, low, high, "exact (Clopper-Pearson)")


def paired_proportions(model: Numbers, reference: Numbers) -> Estimate:
    """The difference of two shares of the same rows, of 0 and 1, with Tango's score interval."""
    rows = len(model)
    gained, lost = int((model > reference).sum()), int((model < reference).sum())
    found, z = (gained - lost) / rows, float(ndtri(1 - _TAIL))
    low = _root(lambda at: _score(gained, lost, rows, at) - z, -1.0, found)
    high = _root(lambda at: _score(gained, lost, rows, at) + z, found, 1.0)
    return Estimate(found, low, high, "paired score (Tango)")


def _score(gained: int, lost: int, rows: int, at: float) -> float:
    """How many standard errors the difference that was found is from another; it falls as that grows."""
    a = 2 * rows
    b = -gained - lost + (2 * rows - gained + lost) * at
    c = -lost * at * (1 - at)
    share = (math.sqrt(max(0.0, b * b - 4 * a * c)) - b) / (2 * a)
    variance = rows * (2 * share + at * (1 - at))
    distance = gained - lost - rows * at
    return distance / math.sqrt(variance) if variance > 0 else math.copysign(math.inf, distance) if distance else 0.0


def _root(function: Callable[[float], float], low: float, high: float) -> float:
    """Where a falling function is 0, by halving."""
    for _ in range(_STEPS):
        middle = (low + high) / 2
        low, high = (middle, high) if function(middle) > 0 else (low, middle)
    return (low + high) / 2


def _zero_or_one(statistics: Numbers, aggregate: Aggregate) -> bool:
    """Whether a mean is one of 0 and 1 alone, a share of rows."""
    return aggregate in ("mean", "proportion") and bool(np.isin(statistics[:, 0], (0.0, 1.0)).all())


def _none_or_all(statistics: Numbers) -> int | None:
    """Of counts whose ratio is 0 or 1 in every row: how many rows count. Rows that don't differ tell no spread."""
    above, below = statistics[:, 0], statistics[:, 1]
    if not (below > 0).all() or not np.array_equal(statistics, np.rint(statistics)):
        return None
    return 0 if not above.any() else len(above) if (above == below).all() else None


def _mean(statistics: Numbers) -> tuple[float, Numbers]:
    """The value, and each row's influence on it: what the value would be, times the rows, without it."""
    found = float(statistics[:, 0].mean())
    return found, statistics[:, 0] - found


def _ratio(statistics: Numbers) -> tuple[float, Numbers]:
    above, below = statistics[:, 0], statistics[:, 1]
    if not below.sum():
        return math.nan, np.full(len(below), math.nan)
    found = float(above.sum() / below.sum())
    return found, (above - found * below) / below.mean()


def _root_mean(statistics: Numbers) -> tuple[float, Numbers]:
    square = float(statistics[:, 0].mean())
    found = math.sqrt(max(0.0, square))
    return found, (statistics[:, 0] - square) / (2 * found) if found else np.zeros(len(statistics))


_SMOOTH: dict[str, Callable[[Numbers], tuple[float, Numbers]]] = {
    "mean": _mean,
    "proportion": _mean,
    "ratio": _ratio,
    "root mean": _root_mean,
}


def _delta(found: float, influence: Numbers) -> Estimate:
    rows = len(influence)
    if rows < 2 or not math.isfinite(found):
        return Estimate(found)
    half = float(stdtrit(rows - 1, 1 - _TAIL)) * float(influence.std(ddof=1)) / math.sqrt(rows)
    return Estimate(found, found - half, found + half, "delta method (Student's t)")


def _relative_delta(one: float, of_one: Numbers, other: float, of_other: Numbers) -> Estimate:
    """On the logarithm's scale, on which a ratio is a difference."""
    if not (one > 0 and other > 0):
        return Estimate(one / other - 1 if other else math.nan)
    found = _delta(math.log(one / other), of_one / one - of_other / other)
    return Estimate(one / other - 1, math.expm1(found.low), math.expm1(found.high), found.method)


def _bootstrapped(found: Resampled, of: Callable[[Numbers], Numbers]) -> Estimate:
    low, high = found.interval(of, LEVEL)
    return Estimate(float(of(found.values)), low, high, "bootstrap of rows (BCa)")


def _first(both: Numbers) -> Numbers:
    return np.asarray(both[..., 0])


def _second(both: Numbers) -> Numbers:
    return np.asarray(both[..., 1])


def _difference(both: Numbers) -> Numbers:
    return np.asarray(both[..., 0] - both[..., 1])


def _relative(both: Numbers) -> Numbers:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(both[..., 0] / both[..., 1] - 1)
