"""Multiple choice: whether the choice that a model finds most likely is the right one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from runner.errors import SourceError
from runner.metrics.kept import Kept

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from runner.base.values import Array


def right(kept: Kept, labels: Sequence[object], *, by_length: bool = False) -> NDArray[np.float64]:
    """1 where the choice with the highest log-likelihood, the first of equal ones, is the labelled; shape [rows, 1].

    Args:
        kept: log-likelihoods, with the `lengths` of the choices in characters.
        labels: of each row the number of the right choice, from 0.
        by_length: divide each log-likelihood by the length first.

    Raises:
        SourceError: a label is no number of a choice.
    """
    found = []
    for row, (values, lengths, label) in enumerate(zip(kept.values, kept.extra["lengths"], labels, strict=True), 1):
        each = np.asarray(values, np.float64) / (np.asarray(lengths) if by_length else 1)
        found.append(_right(each, _number(label, len(each), row)))
    return np.array(found, np.float64).reshape(-1, 1)


def _right(each: Array, label: int) -> float:
    return float(each.argmax() == label) if np.isfinite(each).all() else np.nan


def _number(label: object, choices: int, row: int) -> int:
    if isinstance(label, int | np.integer) and not isinstance(label, bool) and 0 <= label < choices:
        return int(label)
    message = f"the label of row {row} is {label!r}, and it has {choices} choices: it takes a number 0 to {choices - 1}"
    raise SourceError(message, hint="The label of multiple choice is the number of the right choice, the first is 0.")
