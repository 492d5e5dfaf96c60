"""Replies of two models to the same prompts, token by token, as GenAI's who_what_benchmark compares them.

Of both the longest runs of tokens that they share, in one order, are found by difflib's matcher.
"""

from __future__ import annotations

from difflib import SequenceMatcher
from typing import TYPE_CHECKING

import numpy as np

from runner.metrics.kept import Kept

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


def compared(kept: Kept, reference: Kept) -> Floats:
    """Of each row: tokens before the first that differs, the reference's tokens, the model's that are no match, its
    tokens; shape [rows, 4].

    Tokens before the first that differs are the length of the first shared run, if that begins both replies, else 0.
    """
    both = zip(kept.extra["tokens"], reference.extra["tokens"], strict=True)
    return np.array([_compared(list(map(int, theirs)), list(map(int, own))) for own, theirs in both]).reshape(-1, 4)


def _compared(reference: list[int], own: list[int]) -> tuple[float, float, float, float]:
    if not reference or not own:
        return 0.0, len(reference), len(own) or len(reference), len(own) or len(reference)
    runs = SequenceMatcher(None, reference, own).get_matching_blocks()
    first = runs[0].size if runs[0].a == runs[0].b == 0 else 0
    return first, len(reference), len(own) - sum(run.size for run in runs), len(own)


def before_the_first(rows: Floats) -> Floats:
    """(tokens before the first that differs, the reference's tokens), [rows, 2]."""
    return rows[:, :2]


def a_row(counts: Floats) -> Floats:
    """(count, 1) of counts [rows], whose ratio is a mean; a mean of 0 and 1 alone would count as a share of rows."""
    return np.stack([counts, np.ones(len(counts))], -1)


def no_match(rows: Floats) -> Floats:
    """(the model's tokens that are no match, 1), [rows, 2]; all of the reference's where the model wrote nothing."""
    return a_row(rows[:, 2])


def share_of_no_match(rows: Floats) -> Floats:
    """The same as a share of the model's tokens, [rows, 1]; 0 where both wrote nothing."""
    return np.divide(rows[:, 2:3], rows[:, 3:], out=np.zeros((len(rows), 1)), where=rows[:, 3:] != 0)
