"""Classes: statistics are pairs (label, best class), shape [rows, 2]; the figures are scikit-learn's of these names."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from runner.base.values import Array

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_SHOWN_CLASSES, _SHOWN_PAIRS = 50, 100


def decisions(scores: Array, labels: Array) -> Floats:
    """(label, best class) of each row; of equal scores the first counts.

    Args:
        scores: [rows, classes].
        labels: class numbers, [rows].
    """
    pairs = np.stack([labels, scores.argmax(-1)], 1).astype(np.float64)
    pairs[~np.isfinite(scores.max(-1))] = np.nan
    return pairs


def among_best(scores: Array, labels: Array, k: int) -> Floats:
    """1 where the label is among the k best classes, 0 where not; shape [rows, 1]. Of equal scores the first count."""
    own = np.take_along_axis(scores, labels[:, None], 1)
    before = np.arange(scores.shape[1]) < labels[:, None]
    rank = (scores > own).sum(1) + ((scores == own) & before).sum(1)
    right = np.where(np.isfinite(scores.max(-1)), rank < k, np.nan)
    return right[:, None].astype(np.float64)


def confusion(pairs: Floats) -> Floats:
    """How often each class (a row) was taken for each (a column); shape [classes, classes]."""
    told, best = pairs.astype(np.int64).T
    size = int(pairs.max()) + 1
    return np.bincount(told * size + best, minlength=size * size).reshape(size, size).astype(np.float64)


def f1_macro(pairs: Floats) -> float:
    """Mean F1 of the classes that are labels or were given."""
    if np.isnan(pairs).any():
        return float("nan")
    f1, there = _f1(confusion(pairs))
    return float(f1[there].mean())


def right(pairs: Floats) -> Floats:
    """1 for each row whose best class is its label, 0 for others; shape [rows]."""
    return np.where(np.isnan(pairs).any(1), np.nan, pairs[:, 0] == pairs[:, 1])


def f1_micro(pairs: Floats) -> float:
    """F1 of all decisions taken together."""
    return float(right(pairs).mean())


def f1_weighted(pairs: Floats) -> float:
    """Mean F1 of the classes, each with the number of its labels as its weight."""
    if np.isnan(pairs).any():
        return float("nan")
    table = confusion(pairs)
    f1, _ = _f1(table)
    return float(f1 @ table.sum(1) / table.sum())


def balanced_accuracy(pairs: Floats) -> float:
    """Mean over the classes with labels of the share that was found."""
    if np.isnan(pairs).any():
        return float("nan")
    table = confusion(pairs)
    labels = table.sum(1)
    return float((table.diagonal()[labels > 0] / labels[labels > 0]).mean())


def matthews(pairs: Floats) -> float:
    """Matthews correlation of labels and decisions; 0 where one of them has a single class."""
    if np.isnan(pairs).any():
        return float("nan")
    table = confusion(pairs)
    labels, given, rows = table.sum(1), table.sum(0), table.sum()
    spread = (rows**2 - given @ given) * (rows**2 - labels @ labels)
    return float((table.trace() * rows - given @ labels) / np.sqrt(spread)) if spread > 0 else 0.0


def by_class(pairs: Floats) -> dict[str, object]:
    """Precision, recall and F1 of each class, and the confusion matrix; of many classes the pairs most confused."""
    known = pairs[~np.isnan(pairs).any(1)]
    if not len(known):
        return {}
    table = confusion(known)
    right, given, labels = table.diagonal(), table.sum(0), table.sum(1)
    f1, there = _f1(table)
    told: dict[str, object] = {
        "classes": [
            {
                "class": int(one),
                "labels": int(labels[one]),
                "precision": float(right[one] / given[one]) if given[one] else None,
                "recall": float(right[one] / labels[one]) if labels[one] else None,
                "f1": float(f1[one]),
            }
            for one in np.flatnonzero(there)
        ]
    }
    return told | _confused(table)


def _confused(table: Floats) -> dict[str, object]:
    if len(table) <= _SHOWN_CLASSES:
        return {"confusion": table.astype(np.int64).tolist()}
    wrong = table - np.diag(table.diagonal())
    worst = np.argsort(-wrong, axis=None, kind="stable")[:_SHOWN_PAIRS]
    label, given = np.unravel_index(worst, table.shape)
    return {
        "confused": [
            {"label": int(one), "given": int(other), "rows": int(wrong[one, other])}
            for one, other in zip(label, given, strict=True)
            if wrong[one, other]
        ]
    }


def _f1(table: Floats) -> tuple[Floats, NDArray[np.bool_]]:
    """F1 of each class, and whether it occurs."""
    twice, sizes = 2 * table.diagonal(), table.sum(0) + table.sum(1)
    there = sizes > 0
    return np.divide(twice, sizes, out=np.zeros(len(table)), where=there), there
