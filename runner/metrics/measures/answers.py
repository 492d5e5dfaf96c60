"""Answers of a question: exact match and F1 of words, as SQuAD's evaluation script normalises and counts them."""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from runner.errors import SourceError

if TYPE_CHECKING:
    from numpy.typing import NDArray

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_PUNCTUATION = str.maketrans("", "", string.punctuation)


def normalised(text: str) -> str:
    """Small letters, without punctuation and English articles, one space between words."""
    return " ".join(_ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)).split())


def exact(given: str, told: str) -> float:
    """1 where both are the same, normalised."""
    return float(normalised(given) == normalised(told))


def overlap(given: str, told: str) -> float:
    """F1 of the words of both; where one has none, 1 if the other has none either."""
    one, other = normalised(given).split(), normalised(told).split()
    if not one or not other:
        return float(one == other)
    common = (Counter(one) & Counter(other)).total()
    return 2 * common / (len(one) + len(other))


def best(score: Callable[[str, str], float], given: Sequence[str], told: Sequence[object]) -> NDArray[np.float64]:
    """The best score of each answer with any of those of the data; shape [rows, 1].

    Args:
        told: a text, a list of texts, or SQuAD's mapping with the list `text`; an empty list is no answer at all.

    Raises:
        SourceError: a row has none of these.
    """
    rows = [max(score(one, text) for text in texts(any_of, row)) for row, (one, any_of) in _rows(given, told)]
    return np.array(rows, np.float64).reshape(-1, 1)


def texts(told: object, row: int) -> list[str]:
    """The answers of a row; a single empty one where there is none."""
    if isinstance(told, Mapping):
        told = told.get("text")
    if isinstance(told, str):
        return [told]
    found = list(told) if isinstance(told, Sequence | np.ndarray) else None
    if found is None or not all(isinstance(one, str) for one in found):
        message = f"row {row}: what is expected is a text, a list of texts, or a mapping with such a list as `text`"
        raise SourceError(message)
    return found or [""]


def _rows(given: Sequence[str], told: Sequence[object]) -> enumerate[tuple[str, object]]:
    return enumerate(zip(given, told, strict=True), 1)
