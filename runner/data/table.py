"""A dataset as rows, whatever its format: what each role holds, one row after the other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from runner import data
from runner.data.handles import Handle
from runner.data.records import Record
from runner.data.roles import FILES, taken
from runner.data.selection import selected
from runner.errors import SourceError
from runner.registry.formats import FORMATS

if TYPE_CHECKING:
    from runner.recipe.types import Dataset


@dataclass(frozen=True)
class Row:
    """A row that is used.

    Attributes:
        number: its place in the whole file, from 0.
        where: the same for messages, such as `file:line`.
        values: role -> what the row has: texts, lists of texts, labels, scores, arrays, and handles of images, which
            are decoded when they are asked for.
    """

    number: int
    where: str
    values: Mapping[str, object]


def rows(dataset: Dataset, roles: Iterable[str] | None = None) -> Iterator[Row]:
    """The rows that are used, in their order, one at a time.

    Args:
        roles: which values to give; None for all that the dataset has columns for.

    Raises:
        SourceError: the dataset has no such role, a row can't be read, or lacks a column or a value.
    """
    wanted = _wanted(dataset, roles)
    for record in used(dataset):
        values = record.load()
        yield Row(record.number, record.where, {role: taken(dataset, role, record.where, values) for role in wanted})


def count(dataset: Dataset) -> int:
    """How many rows are used; none of them is decoded for it where the format can tell rows apart without.

    Raises:
        SourceError: the dataset can't be read.
    """
    reader = data.reader(dataset)
    if hasattr(reader, "count"):
        found: int = reader.count(dataset)
        return found
    return sum(1 for _ in used(dataset))


def used(dataset: Dataset) -> Iterator[Record]:
    """The rows that are used, as the file has them.

    Raises:
        SourceError: the dataset can't be read.
    """
    return selected(dataset, data.reader(dataset))


def described(found: Iterable[Row]) -> Iterator[Row]:
    """Rows without the images of texts that are nothing but white space, which nobody looks at."""
    for row in found:
        text = row.values.get("text")
        if "image" in row.values and isinstance(text, str) and not text.strip():
            row = replace(row, values={**row.values, "image": None})
        yield row


def handles(dataset: Dataset) -> Iterator[Handle]:
    """The files that the rows name, each of which is there.

    Raises:
        SourceError: one is not.
    """
    roles = FILES & dataset.columns.keys()
    if not roles or FORMATS[dataset.format].shape != "rows":
        return
    for row in described(rows(dataset, roles | ({"text"} & dataset.columns.keys()))):
        for role in sorted(roles):
            one = row.values[role]
            if isinstance(one, Handle) and one.content is None:
                yield one.located()


def _wanted(dataset: Dataset, roles: Iterable[str] | None) -> list[str]:
    """The roles to give, each of which is there.

    Raises:
        SourceError: one is not.
    """
    given = set(dataset.columns) | ({"text"} if FORMATS[dataset.format].shape == "text" else set())
    wanted = list(dict.fromkeys(given if roles is None else roles))
    if lacking := [role for role in wanted if role not in given]:
        message = f"dataset {dataset.name} has no column for {', '.join(lacking)}"
        known = ", ".join(sorted(given)) or "no role"
        raise SourceError(message, hint=f"Name it in `columns` of the dataset, which gives {known}.")
    return sorted(wanted)
