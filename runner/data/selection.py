"""Which rows of a dataset are used, and in which order: `where`, then `shuffle`, then `limit`.

None of them keeps rows. `where` looks at one after the other. A shuffled file is read once for the places of the rows,
whose order follows from the seed and from how many there are, and then at these places.
"""

from __future__ import annotations

import heapq
import random
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING

from runner.base.words import missing
from runner.data.records import Record, Records
from runner.errors import SourceError

if TYPE_CHECKING:
    from runner.recipe.types import Dataset

Place = tuple[int, int, int]
"""Number, line and offset of a record."""
_HELD = 1024
"""Rows that are held at once of a file that can't be read at a place."""


def selected(dataset: Dataset, reader: Records) -> Iterator[Record]:
    """The rows that are used, in their order.

    Raises:
        SourceError: a row can't be read, or lacks a column that `where` asks for.
    """
    if not dataset.shuffle:
        yield from islice(_matching(dataset, reader), dataset.limit)
        return
    places = shuffled(_matching(dataset, reader), dataset.seed, dataset.limit)
    at = getattr(reader, "records_at", None)
    yield from at(dataset, places) if at else _scanned(dataset, reader, places)


def shuffled(records: Iterable[Record], seed: int, limit: int | None) -> Iterator[Place]:
    """The places of all records, or of as many as `limit` of them, in an order that the seed tells.

    Each record gets a random number, and the least come first: so fewer of the same are the first of more.
    """
    draw = random.Random(seed).random
    ranked = ((draw(), one.number, one.line, one.offset) for one in records)
    if limit is not None:
        return (places for _, *places in heapq.nsmallest(limit, ranked))  # type: ignore[misc]
    ranks, numbers, lines, offsets = array("d"), array("Q"), array("Q"), array("Q")
    for rank, number, line, offset in ranked:
        ranks.append(rank)
        numbers.append(number)
        lines.append(line)
        offsets.append(offset)
    order = sorted(range(len(ranks)), key=ranks.__getitem__)
    return ((numbers[at], lines[at], offsets[at]) for at in order)


def _scanned(dataset: Dataset, reader: Records, places: Iterable[Place]) -> Iterator[Record]:
    """Records at places, some hundred of them in each reading of the file."""
    numbers = (number for number, *_ in places)
    while wanted := list(islice(numbers, _HELD)):
        left, found = set(wanted), {}
        for record in reader.records(dataset):
            if record.number in left:
                found[record.number] = _loaded(record)
                left.remove(record.number)
            if not left:
                break
        yield from (found[number] for number in wanted)


def _loaded(record: Record) -> Record:
    row = record.load()
    return Record(record.number, record.where, lambda: row)


def _matching(dataset: Dataset, reader: Records) -> Iterator[Record]:
    """The rows that `where` lets through."""
    records = reader.records(dataset)
    return (one for one in records if matches(dataset.where, one)) if dataset.where else records


def matches(where: Mapping[str, object], record: Record) -> bool:
    """Whether a row meets all conditions.

    Raises:
        SourceError: it lacks a column, or has a value that a condition can't be asked of.
    """
    row = record.load()
    for column, condition in where.items():
        if column not in row:
            message = f"{record.where}: {missing('column', column, row)}"
            raise SourceError(message, hint="`where` of the dataset asks for it.")
        if not _meets(row[column], condition, f'{record.where}: column "{column}"'):
            return False
    return True


def _meets(value: object, condition: object, at: str) -> bool:
    if isinstance(condition, Mapping):
        return all(_ASKED[name](value, wanted, at) for name, wanted in condition.items())
    return _is(value, condition, at)


def _is(value: object, wanted: object, at: str) -> bool:
    """Equal, or among several; a number that a text holds, as csv has them, is one."""
    if isinstance(wanted, list):
        return any(_is(value, one, at) for one in wanted)
    if isinstance(value, str) and isinstance(wanted, int | float):
        found = _number(value)
        return found == wanted if found is not None else value.lower() == str(wanted).lower()
    return bool(value == wanted) and isinstance(value, bool) == isinstance(wanted, bool)


def _least(value: object, wanted: object, at: str) -> bool:
    return value is not None and _numeric(value, at) >= wanted  # type: ignore[operator]


def _most(value: object, wanted: object, at: str) -> bool:
    return value is not None and _numeric(value, at) <= wanted  # type: ignore[operator]


def _numeric(value: object, at: str) -> float:
    number = _number(value)
    if number is None:
        message = f"{at} holds {str(value)[:40]!r}, and `where` asks how large it is"
        raise SourceError(message, hint="`min` and `max` are of numbers; `min_length` and `max_length` of texts.")
    return number


def _number(value: object) -> float | None:
    if isinstance(value, bool):
        return None
    try:
        return float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None


def _length(value: object, at: str) -> int:
    if not isinstance(value, Sequence):
        message = f"{at} holds {str(value)[:40]!r}, and `where` asks how long it is"
        raise SourceError(message, hint="Texts and lists have a length.")
    return len(value)


def _contains(value: object, wanted: object, at: str) -> bool:
    return (
        isinstance(value, str | list | tuple)
        and (not isinstance(value, str) or isinstance(wanted, str))
        and (wanted in value)
    )


_ASKED: Mapping[str, Callable[[object, object, str], bool]] = {
    "is": _is,
    "not": lambda value, wanted, at: not _is(value, wanted, at),
    "in": _is,
    "min": _least,
    "max": _most,
    "min_length": lambda value, wanted, at: value is not None and _length(value, at) >= wanted,  # type: ignore[operator]
    "max_length": lambda value, wanted, at: value is not None and _length(value, at) <= wanted,  # type: ignore[operator]
    "contains": _contains,
    "known": lambda value, wanted, at: (value is not None and value != "") is wanted,
}
"""What a condition asks of a value."""
