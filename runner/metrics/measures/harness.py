"""What lm-evaluation-harness says of each row, as statistics; and its aggregates of them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from runner.base.words import missing
from runner.errors import SourceError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from runner.metrics.kept import Kept

    Floats = NDArray[np.float64]


def scores(kept: Kept, metric: str, filter: str = "") -> Floats:
    """The library's number, or numbers, of each row; shape [rows, k].

    Args:
        filter: of the task, by its name; the first by default.

    Raises:
        SourceError: the task has no such filter, or didn't give the metric.
    """
    return np.array([_score(row, metric, filter) for row in kept.values]).reshape(kept.count, -1)


def _score(row: object, metric: str, filter: str) -> list[float]:
    assert isinstance(row, dict)
    name = filter or next(iter(row))
    if name not in row:
        raise SourceError(missing("filter of the task", name, row))
    found = row[name].get(metric)
    if found is None:
        raise SourceError(missing("metric of the task", metric, row[name]))
    return found if isinstance(found, list) else [found]


def counts(kept: Kept) -> Floats:
    """Whether a row is a true positive, a false one, a false negative, by its class and the likeliest; [rows, 3].

    Raises:
        SourceError: a class that is neither 0 nor 1, of which the library's F1 is none.
    """
    right, said = scores(kept, "f1").T
    if not set(right) | set(said) <= {0.0, 1.0}:
        message = "lm_eval_f1 is of two choices, and the task's right ones have other numbers than 0 and 1"
        raise SourceError(message)
    return np.stack([right * said, (1 - right) * said, right * (1 - said)], -1)


def f1(sums: Floats) -> Floats:
    """2 tp / (2 tp + fp + fn) of the sums of `counts`; 0 where there are none."""
    true, all = 2 * sums[..., 0], 2 * sums[..., 0] + sums[..., 1] + sums[..., 2]
    return np.divide(true, all, out=np.zeros_like(true), where=all > 0)


def right(rows: Floats) -> Floats:
    """1 where a row of `counts` is no false one."""
    return np.asarray(1 - rows[:, 1] - rows[:, 2])


def a_row(kept: Kept) -> Floats:
    """(log-likelihood of the answer, 1) of each row."""
    found = scores(kept, "perplexity")
    return np.concatenate([found, np.ones_like(found)], -1)


def perplexity(sums: Floats) -> Floats:
    """exp(- log-likelihood / units) of sums of both."""
    with np.errstate(over="ignore"):
        return np.asarray(np.exp(-sums[..., 0] / sums[..., 1]))


def per_unit(rows: Floats) -> Floats:
    """The negative log-likelihood of a unit of each row, by which rows are better or worse."""
    return np.asarray(-rows[:, 0] / rows[:, 1])


def bits(rows: Floats) -> Floats:
    """(bits, bytes) of (log-likelihood, bytes)."""
    return np.stack([-rows[:, 0] / math.log(2), rows[:, 1]], -1)
