"""Labels as class numbers of the model: numbers as they are, names by the model's own list."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from runner.base.words import missing
from runner.errors import SourceError

if TYPE_CHECKING:
    from numpy.typing import NDArray

IGNORED = -100
"""The label of what doesn't count, as Transformers has it."""


def class_numbers(labels: Sequence[object], classes: Sequence[str], count: int | None = None) -> NDArray[np.int64]:
    """The class number of each label, shape [rows].

    Args:
        labels: numbers, or names.
        classes: the names of the model's classes; may be empty.
        count: how many classes it has, where that isn't known by their names.

    Raises:
        SourceError: a label that is none of the classes; it names the row.
    """
    count = len(classes) if count is None else count
    places = {name: number for number, name in enumerate(classes)}
    return np.array([_number(label, row, places, count) for row, label in enumerate(labels, 1)], np.int64)


def tag_numbers(tags: Sequence[object], row: int, classes: Sequence[str]) -> NDArray[np.int64]:
    """The class number of each tag of a row; `IGNORED` where none is told.

    Raises:
        SourceError: a tag that is none of the classes.
    """
    places = {name: number for number, name in enumerate(classes)}
    told = (IGNORED if tag is None else tag for tag in tags)
    found = [IGNORED if tag == IGNORED else _number(tag, row, places, len(classes)) for tag in told]
    return np.array(found, np.int64)


def _number(label: object, row: int, places: dict[str, int], count: int) -> int:
    if isinstance(label, str):
        if label in places:
            return places[label]
        if not label.strip().isdecimal():
            raise _no_such_name(label, row, places)
        number = float(label)
    else:
        number = _plain(label, row)
    if number != int(number) or not 0 <= number < (count or np.inf):
        message = f"row {row}: the label {label} is none of the model's {count} classes, 0 to {count - 1}"
        raise SourceError(message, hint="Labels are the numbers of the model's classes, from 0, or their names.")
    return int(number)


def _plain(label: object, row: int) -> float:
    try:
        return float(label)  # type: ignore[arg-type]
    except (TypeError, ValueError) as error:
        message = f"row {row}: the label {label!r} is neither a number nor a name"
        raise SourceError(message) from error


def _no_such_name(label: str, row: int, places: dict[str, int]) -> SourceError:
    if not places:
        message = f"row {row}: the label {label!r} is a name, and the model's config.json names no classes"
        return SourceError(message, hint="Give the numbers of the classes, from 0.")
    message = f"row {row}, label: {missing('class of the model', label, places)}"
    return SourceError(message, hint="Map the names in the data, or give the numbers of the classes.")
