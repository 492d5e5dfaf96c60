"""JSON Lines: one object a line; text in one column, or a prompt and its reply in two."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any

from runner.base.words import missing
from runner.data.text import lines
from runner.errors import SourceError

if TYPE_CHECKING:
    from runner.recipe.types import Dataset


_LONGEST = 64 << 20


def check(dataset: Dataset) -> None:
    """Read the rows that will be used, all columns that the dataset names.

    Raises:
        SourceError: a line isn't a JSON object, lacks a column, or the whole has no rows.
    """
    columns = [name for name in (dataset.column, dataset.prompt, dataset.reply) if name]
    if not columns:
        message = f"dataset {dataset.name}: {dataset.path} has rows, and the recipe names no column of them"
        hint = "Give the dataset `column` for text, or `prompt` and `reply` for questions with known answers."
        raise SourceError(message, hint=hint)
    if not sum(any(value.strip() for value in row) for row in _rows(dataset, *columns)):
        message = f"dataset {dataset.name}: {dataset.path} has no rows with text"
        raise SourceError(message)


def read_text(dataset: Dataset) -> list[str]:
    """The column's texts, without those that are nothing but white space.

    Raises:
        SourceError: as `check`.
    """
    check(dataset)
    return [text for (text,) in _rows(dataset, str(dataset.column)) if text.strip()]


def read_pairs(dataset: Dataset) -> list[tuple[str, str]]:
    """The (prompt, reply) of each row.

    Raises:
        SourceError: as `check`.
    """
    check(dataset)
    return [(row[0], row[1]) for row in _rows(dataset, str(dataset.prompt), str(dataset.reply))]


def _rows(dataset: Dataset, *columns: str) -> Iterator[tuple[str, ...]]:
    """The values of the columns, row by row, blank lines left out."""
    filled = ((number, line) for number, line in lines(dataset, _LONGEST) if line.strip())
    for number, line in islice(filled, dataset.limit):
        row = _object(f"{dataset.path}:{number}", line)
        yield tuple(_value(f"{dataset.path}:{number}", row, column) for column in columns)


def _object(where: str, line: str) -> dict[str, Any]:
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


def _value(where: str, row: dict[str, Any], column: str) -> str:
    if column not in row:
        message = f"{where}: {missing('column', column, row)}"
        raise SourceError(message)
    value = row[column]
    if not isinstance(value, str):
        message = f'{where}: column "{column}" holds {json.dumps(value)[:40]}, not a text'
        raise SourceError(message)
    if any("\ud800" <= character <= "\udfff" for character in value):
        message = f'{where}: column "{column}" has half a character (a surrogate such as \\ud800 alone)'
        raise SourceError(message, hint="Such a text has no UTF-8: write it anew from its source.")
    return value
