"""Embeddings: likeness of two, ranks among many."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from runner.base.values import Array

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_BLOCK = 256
"""Queries that are held against all documents at a time."""


def cosines(one: Array, other: Array) -> Floats:
    """Cosine of each row of the one with that of the other; shape [rows]. NaN where a row is all zeros."""
    return np.asarray((directions(one) * directions(other)).sum(-1), np.float64)


def directions(rows: Array) -> Floats:
    """Rows of length 1, shape [rows, size]; NaN for a row of zeros."""
    found = np.asarray(rows, np.float64)
    length = np.linalg.norm(found, axis=-1, keepdims=True)
    return np.asarray(np.divide(found, length, out=np.full_like(found, np.nan), where=length > 0), np.float64)


def likeness(one: Array, other: Array, scores: Array) -> Floats:
    """(cosine, score of the data) of each pair, shape [rows, 2]."""
    return np.stack([cosines(one, other), np.asarray(scores, np.float64)], 1)


def pearson(pairs: Floats) -> float:
    """Linear correlation of the two columns; NaN where one of them is constant."""
    one, other = (pairs - pairs.mean(0)).T
    spread = float(np.sqrt((one @ one) * (other @ other)))
    return float(one @ other) / spread if spread else float("nan")


def spearman(pairs: Floats) -> float:
    """Correlation of the ranks of the two columns; equal values share the mean of their ranks."""
    if np.isnan(pairs).any():
        return float("nan")
    return pearson(np.stack([ranks(column) for column in pairs.T], 1))


def ranks(values: Array) -> Floats:
    """Ranks from 1 up; equal values share their mean."""
    _, place, count = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(count)
    return (last - (count - 1) / 2)[place]


def places(queries: Array, documents: Array, same: Sequence[object]) -> NDArray[np.int64]:
    """The place, from 1, that the document of each row has among all for its query, by their cosines; shape [rows].

    A document that stands in several rows counts once; of those that are equally like, its own comes last.

    Args:
        queries: embeddings [rows, size].
        documents: embeddings [rows, size].
        same: tells which rows have the same document: its text, or any value that is equal where they are.
    """
    first: dict[object, int] = {}
    number = np.array([first.setdefault(one, len(first)) for one in same])
    _, rows = np.unique(number, return_index=True)
    asked, there = directions(queries), directions(documents[rows])
    found = np.empty(len(asked), np.int64)
    for start in range(0, len(asked), _BLOCK):
        likenesses = asked[start : start + _BLOCK] @ there.T
        own = np.take_along_axis(likenesses, number[start : start + _BLOCK, None], 1)
        found[start : start + _BLOCK] = (likenesses >= own).sum(1)
    return found


def recall(place: NDArray[np.int64], k: int) -> Floats:
    """1 where the document is among the first k; shape [rows, 1]. A row without a place has no number."""
    return np.where(place > 0, place <= k, np.nan).astype(np.float64)[:, None]


def gain(place: NDArray[np.int64], k: int) -> Floats:
    """Normalised discounted cumulative gain of the one document among the first k; shape [rows, 1]."""
    within = np.where(place <= k, 1 / np.log2(np.maximum(place, 1) + 1), 0.0)
    return np.where(place > 0, within, np.nan)[:, None]
