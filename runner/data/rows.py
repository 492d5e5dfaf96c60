"""Rows of texts in named columns, whatever file they come from: text in one, perhaps with the name of an image in
another, or a prompt and its reply in two."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from runner.base.words import missing
from runner.data import images
from runner.errors import SourceError

if TYPE_CHECKING:
    from runner.recipe.types import Dataset
    from runner.registry.formats import DataFormat

Rows = Iterable[tuple[str, Mapping[str, object]]]
"""The place of each row, such as `file:line`, and the row."""


@dataclass(frozen=True)
class RowReader:
    """Reads datasets of a format by the function that reads its rows."""

    rows: Callable[[Dataset], Rows]

    def check(self, dataset: Dataset) -> None:
        """Read the rows that will be used, all columns that the dataset names.

        Raises:
            SourceError: a row can't be read, lacks a column, or the whole has no rows.
        """
        columns = [name for name in (dataset.column, dataset.prompt, dataset.reply) if name]
        if not columns:
            message = f"dataset {dataset.name}: {dataset.path} has rows, and the recipe names no column of them"
            hint = "Give the dataset `column` for text, or `prompt` and `reply` for questions with known answers."
            raise SourceError(message, hint=hint)
        if not sum(any(value.strip() for value in row) for row in self._columns(dataset, *columns)):
            message = f"dataset {dataset.name}: {dataset.path} has no rows with text"
            raise SourceError(message)
        if dataset.image:
            images.check(self.read_images(dataset))

    def read_text(self, dataset: Dataset) -> list[str]:
        """The column's texts, without those that are nothing but white space.

        Raises:
            SourceError: as `check`.
        """
        self.check(dataset)
        return [text for (text,) in self._columns(dataset, str(dataset.column)) if text.strip()]

    def read_pairs(self, dataset: Dataset) -> list[tuple[str, str]]:
        """The (prompt, reply) of each row.

        Raises:
            SourceError: as `check`.
        """
        self.check(dataset)
        return [(row[0], row[1]) for row in self._columns(dataset, str(dataset.prompt), str(dataset.reply))]

    def read_images(self, dataset: Dataset) -> list[images.ImageText]:
        """Each row's image with its text; those whose text is nothing but white space are left out.

        Raises:
            SourceError: a row can't be read, or its image is not there.
        """
        columns = str(dataset.image), str(dataset.column)
        rows = self._placed(dataset, *columns)
        return list(images.located(dataset, ((where, name, text) for where, (name, text) in rows if text.strip())))

    def _columns(self, dataset: Dataset, *columns: str) -> Iterator[tuple[str, ...]]:
        return (row for _, row in self._placed(dataset, *columns))

    def _placed(self, dataset: Dataset, *columns: str) -> Iterator[tuple[str, tuple[str, ...]]]:
        for where, row in islice(self.rows(dataset), dataset.limit):
            yield where, tuple(_value(where, row, column) for column in columns)


def reader(declared: DataFormat) -> RowReader:
    """What reads the datasets of a format that is declared by a function."""
    function = declared.function
    assert function is not None

    def rows(dataset: Dataset) -> Rows:
        number = 0
        try:
            for number, row in enumerate(function(dataset.path), 1):
                yield f"{dataset.path}, row {number}", row
        except (ValueError, UnicodeDecodeError) as error:
            message = f"{dataset.path}, row {number + 1}: {error}"
            raise SourceError(message) from error
        except OSError as error:
            message = f"dataset {dataset.name}: {dataset.path}: {error.strerror or error}"
            raise SourceError(message) from error

    return RowReader(rows)


def _value(where: str, row: Mapping[str, object], column: str) -> str:
    if column not in row:
        message = f"{where}: {missing('column', column, row)}"
        raise SourceError(message)
    value = row[column]
    if not isinstance(value, str):
        message = f'{where}: column "{column}" holds {json.dumps(value, default=repr)[:40]}, not a text'
        raise SourceError(message)
    if any("\ud800" <= character <= "\udfff" for character in value):
        message = f'{where}: column "{column}" has half a character (a surrogate such as \\ud800 alone)'
        raise SourceError(message, hint="Such a text has no UTF-8: write it anew from its source.")
    return value
