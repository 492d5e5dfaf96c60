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
        line: of a file of lines, the row's line from 1.
        offset: of such a file, the row's first byte.
    """

    number: int
    where: str
    load: Callable[[], Mapping[str, object]]
    line: int = 0
    offset: int = 0


class Records(Protocol):
    """What reads the rows of a format, one after the other, in no more memory than a few take."""

    def records(self, dataset: Dataset) -> Iterator[Record]:
        """All rows of the dataset, whatever its limit.

        Raises:
            SourceError: a row can't be read.
        """


def columns_of(dataset: Dataset) -> list[str]:
    """The columns that are read of each row: those of roles, and those that say which rows are used."""
    return sorted({*dataset.columns.values(), *(dataset.where or {})})
