"""Values that commas or tabs separate, after a line that names the columns; all values are texts."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from typing import TYPE_CHECKING

from runner.data.records import Record
from runner.data.rows import RowReader
from runner.data.text import lines
from runner.errors import SourceError

if TYPE_CHECKING:
    from runner.recipe.types import Dataset

_LONGEST = 64 << 20
_DELIMITERS = {"csv": ",", "tsv": "\t"}


def records(dataset: Dataset) -> Iterator[Record]:
    """Each row by the names of the first line, blank lines left out.

    Raises:
        SourceError: a row has more or fewer values than there are names, or a quotation doesn't end.
    """
    csv.field_size_limit(_LONGEST)
    found = _rows(dataset)
    _, names = next(found, (0, []))
    if twice := next((name for name in names if names.count(name) > 1), None):
        message = f'{dataset.path}:1: two columns are named "{twice}"'
        raise SourceError(message)
    for number, (line, values) in enumerate(found):
        where = f"{dataset.path}:{line}"
        if len(values) != len(names):
            message = f"{where}: {len(values)} values, and the first line names {len(names)} columns"
            raise SourceError(message, hint="A value with the separator or a line break in it stands in quotes.")
        yield Record(number, where, lambda values=values: dict(zip(names, values, strict=True)))  # type: ignore[misc]


def _rows(dataset: Dataset) -> Iterator[tuple[int, list[str]]]:
    """The line where each row begins, and its values."""
    text = (line for _, line in lines(dataset, _LONGEST))
    reader = csv.reader(text, delimiter=_DELIMITERS[dataset.format], strict=True)
    line = 1
    try:
        for values in reader:
            if values:
                yield line, values
            line = reader.line_num + 1
    except csv.Error as error:
        message = f"{dataset.path}:{line}: {error}"
        raise SourceError(message) from error


_READER = RowReader(records)
check, read_text, read_pairs = _READER.check, _READER.read_text, _READER.read_pairs
read_images = _READER.read_images
