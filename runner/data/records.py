"""A row of a file as its format gives it: its number, its place, and its columns, which are read when asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from runner.recipe.types import Dataset


@dataclass(frozen=True)
class Record:
    """One row.

    Attributes:
        number: its place in the whole file, from 0.
        where: the same for messages, such as `file:line`.
        load: gives column -> value; raises SourceError where the row can't be read.
    """

    number: int
    where: str
    load: Callable[[], Mapping[str, object]]


class Records(Protocol):
    """What reads the rows of a format, one after the other, in no more memory than one takes."""

    def records(self, dataset: Dataset) -> Iterator[Record]:
        """All rows of the dataset, whatever its limit.

        Raises:
            SourceError: a row can't be read.
        """
