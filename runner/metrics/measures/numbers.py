"""Numbers: how far off they are, and how well they rank two kinds of rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from runner.base.values import Array
from runner.errors import SourceError
from runner.metrics.measures.pairs import ranks

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


def aligned(given: Array, told: Array) -> tuple[Floats, Floats]:
    """Given and told numbers, both [rows, numbers a row].

    Raises:
        SourceError: a row has other numbers.
    """
    one, other = (np.asarray(values, np.float64) for values in (given, told))
    one, other = one.reshape(len(one), -1), other.reshape(len(other), -1)
    if one.shape != other.shape:
        message = f"the model gives {one.shape[1]} numbers a row, and the data have {other.shape[1]}"
        raise SourceError(message)
    return one, other


def absolute(given: Array, told: Array) -> Floats:
    """Mean absolute error of each row, shape [rows, 1]."""
    one, other = aligned(given, told)
    return np.asarray(np.abs(one - other).mean(1, keepdims=True), np.float64)


def squared(given: Array, told: Array) -> Floats:
    """Mean squared error of each row, shape [rows, 1]."""
    one, other = aligned(given, told)
    return np.asarray(((one - other) ** 2).mean(1, keepdims=True), np.float64)


def side_by_side(given: Array, told: Array) -> Floats:
    """Given numbers, then told ones; shape [rows, 2 * numbers a row]."""
    return np.concatenate(aligned(given, told), 1)


def r2(both: Floats) -> float:
    """Share of the told numbers' variance that is explained, the mean over a row's numbers.

    A number that never changes explains all if it is met, else nothing, as in scikit-learn.
    """
    given, told = np.split(both, 2, axis=1)
    left, spread = ((told - given) ** 2).sum(0), ((told - told.mean(0)) ** 2).sum(0)
    share = 1 - np.divide(left, spread, out=np.where(left > 0, 1.0, 0.0), where=spread > 0)
    return float(share.mean())


def roc_auc(pairs: Floats) -> float:
    """Area under the ROC curve: how often, of a row with label 1 and one with 0, the first has the higher score.

    Args:
        pairs: (score, label), [rows, 2].

    Returns:
        NaN where all rows have one label.
    """
    scores, labels = pairs.T
    positive = labels == 1
    count, others = positive.sum(), (~positive).sum()
    if np.isnan(pairs).any() or not count or not others:
        return float("nan")
    return float((ranks(scores)[positive].sum() - count * (count + 1) / 2) / (count * others))


def average_precision(pairs: Floats) -> float:
    """Sum over the thresholds of precision times the gain in recall, as scikit-learn has it; NaN without a label 1."""
    found, given, positive = _thresholds(pairs)
    if not positive:
        return float("nan")
    precision, recall = found / given, found / positive
    return float((np.diff(recall, prepend=0) * precision).sum())


def best_f1(pairs: Floats) -> float:
    """The highest F1 that any threshold on the score gives; NaN without a label 1."""
    found, given, positive = _thresholds(pairs)
    return float((2 * found / (given + positive)).max()) if positive else float("nan")


def threshold(pairs: Floats) -> dict[str, object]:
    """The threshold with the best F1: rows whose score is at least that count as 1."""
    known = pairs[~np.isnan(pairs).any(1)]
    found, given, positive = _thresholds(known)
    if not positive:
        return {}
    best = int((2 * found / (given + positive)).argmax())
    precision, recall = float(found[best] / given[best]), float(found[best] / positive)
    scores = np.unique(known[:, 0])[::-1]
    return {"threshold": float(scores[best]), "precision": precision, "recall": recall, "labels_1": int(positive)}


def _thresholds(pairs: Floats) -> tuple[Floats, Floats, float]:
    """For each score from the highest down, rows of label 1 that have at least it, and all such; rows of label 1."""
    if np.isnan(pairs).any():
        return np.empty(0), np.empty(0), 0.0
    order = np.argsort(-pairs[:, 0], kind="stable")
    scores, labels = pairs[order].T
    last = np.flatnonzero(np.diff(scores, append=np.inf if len(scores) else []))
    found = np.cumsum(labels, dtype=np.float64)
    return found[last], last.astype(np.float64) + 1, float(labels.sum())


def binary(labels: Array, scores: Array) -> Floats:
    """(score, label) of each row, shape [rows, 2].

    Raises:
        SourceError: a label is neither 0 nor 1.
    """
    wrong = np.flatnonzero(~np.isin(labels, (0, 1)))
    if wrong.size:
        message = (
            f"row {wrong[0] + 1}: the label is {labels[wrong[0]]}, and there are two: 0, and 1 for what is to be found"
        )
        raise SourceError(message)
    found = np.stack([scores, labels], 1).astype(np.float64)
    found[~np.isfinite(found[:, 0])] = np.nan
    return found


def reconstruction(given: Array, told: Array) -> Floats:
    """Mean squared distance of each output from what went in; shape [rows]."""
    return squared(given, told)[:, 0]
