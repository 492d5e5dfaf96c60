"""JSON Lines: one object a line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING

from runner.data.records import Record
from runner.data.rows import RowReader
from runner.data.text import lines
from runner.errors import SourceError

if TYPE_CHECKING:
    from runner.recipe.types import Dataset


_LONGEST = 64 << 20


def records(dataset: Dataset) -> Iterator[Record]:
    """The object of each line, blank lines left out."""
    found = ((line, text) for line, text in lines(dataset, _LONGEST) if text.strip())
    for number, (line, text) in enumerate(found):
        where = f"{dataset.path}:{line}"
        yield Record(number, where, partial(_object, where, text))


_READER = RowReader(records)
check, read_text, read_pairs = _READER.check, _READER.read_text, _READER.read_pairs
read_images = _READER.read_images


def _object(where: str, line: str) -> dict[str, object]:
    try:
        row = _DECODER.decode(line)
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


_DECODER = json.JSONDecoder(parse_constant=_no_constant)
