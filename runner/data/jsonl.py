"""JSON Lines: one object a line; text in one column, perhaps an image in another, or a prompt and its reply in two."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from runner.data.rows import RowReader, Rows
from runner.data.text import lines
from runner.errors import SourceError

if TYPE_CHECKING:
    from runner.recipe.types import Dataset


_LONGEST = 64 << 20


def _rows(dataset: Dataset) -> Rows:
    """The object of each line, blank lines left out."""
    for number, line in lines(dataset, _LONGEST):
        if line.strip():
            where = f"{dataset.path}:{number}"
            yield where, _object(where, line)


_READER = RowReader(_rows)
check, read_text, read_pairs = _READER.check, _READER.read_text, _READER.read_pairs
read_images = _READER.read_images


def _object(where: str, line: str) -> dict[str, object]:
    try:
        row = json.loads(line, parse_constant=_no_constant)
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
