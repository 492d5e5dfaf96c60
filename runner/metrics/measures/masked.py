"""Masked tokens: how many were found, and how far their distributions are from the reference's."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from runner.errors import SourceError
from runner.metrics.measures.answers import texts

if TYPE_CHECKING:
    from numpy.typing import NDArray


def found(given: Iterable[object], told: Iterable[object]) -> NDArray[np.float64]:
    """(tokens that are right, masks) of each row, shape [rows, 2].

    Args:
        given: a list of tokens as text for each row, one for each mask.
        told: what they should be, in the same order.

    Raises:
        SourceError: a row has more or fewer than masks.
    """
    rows = []
    for row, (one, other) in enumerate(zip(given, told, strict=True), 1):
        tokens, answers = texts(one, row), texts(other, row)
        if len(tokens) != len(answers):
            message = f"row {row}: the text has {len(tokens)} masks, and there are {len(answers)} answers"
            raise SourceError(message, hint="`answers` has the token of each mask, in the order of the text.")
        rows.append((sum(a.strip() == b.strip() for a, b in zip(tokens, answers, strict=True)), len(tokens)))
    return np.array(rows, np.float64).reshape(-1, 2)


def divergences(given: Iterable[object], told: Iterable[object]) -> NDArray[np.float64]:
    """(KL divergence of all masks together in nats, masks) of each row, shape [rows, 2]; NaN where one is no number.

    Args:
        given: scores [masks, vocabulary] of each row.
        told: those of the reference, whose distributions the divergence is from.
    """
    rows = []
    for one, other in zip(given, told, strict=True):
        own, base = _log_softmax(one), _log_softmax(other)
        rows.append((max(float((np.exp(base) * (base - own)).sum()), 0.0), len(base)))
    return np.array(rows, np.float64).reshape(-1, 2)


def _log_softmax(scores: object) -> NDArray[np.float64]:
    found = np.asarray(scores, np.float64)
    found = found - found.max(-1, keepdims=True)
    return np.asarray(found - np.log(np.exp(found).sum(-1, keepdims=True)), np.float64)
