"""JSON Lines: one object a line."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from runner.data.opening import open_file
from runner.data.records import Record
from runner.data.rows import RowReader
from runner.data.selection import Place
from runner.data.text import decoded, raw_lines
from runner.errors import SourceError

if TYPE_CHECKING:
    from runner.recipe.types import Dataset


_LONGEST = 64 << 20


def records(dataset: Dataset) -> Iterator[Record]:
    """The object of each line, blank lines left out."""
    offset, number = 0, 0
    for line, raw in raw_lines(dataset, _LONGEST):
        if raw.strip():
            yield _record(dataset, (number, line, offset), raw)
            number += 1
        offset += len(raw)


def records_at(dataset: Dataset, places: Iterable[Place]) -> Iterator[Record]:
    """The rows at places that were found before."""
    with open_file(dataset) as file:
        for place in places:
            file.seek(place[2])
            yield _record(dataset, place, file.readline(_LONGEST))


def _record(dataset: Dataset, place: Place, raw: bytes) -> Record:
    number, line, offset = place
    where = f"{dataset.path}:{line}"
    return Record(number, where, lambda: _object(where, decoded(dataset, line, raw)), line, offset)


_READER = RowReader(records, records_at)
check, read_text, read_pairs = _READER.check, _READER.read_text, _READER.read_pairs
read_images = _READER.read_images


def _object(where: str, line: str) -> dict[str, object]:
    try:
        row = DECODER.decode(line)
    except ValueError as error:
        column = getattr(error, "colno", 1)
        message = f"{where}:{column}: not JSON: {getattr(error, 'msg', error)}"
        raise SourceError(message, hint="A jsonl file holds one JSON object a line.") from error
    except RecursionError as error:
        message = f"{where}: JSON nested too deeply"
        raise SourceError(message) from error
    if not isinstance(row, dict):
        message = f"{where}: a JSON {type(row).__name__}, not an object"
        raise SourceError(message, hint='Each line reads like {"text": "…"}.')
    return row


def _no_constant(name: str) -> None:
    message = f"{name} is no JSON number"
    raise ValueError(message)


DECODER = json.JSONDecoder(parse_constant=_no_constant)
