"""Tables of Apache Arrow: batches of rows by their columns, some hundred rows at a time."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, BinaryIO, Protocol

from runner.base.words import missing
from runner.data.opening import open_file
from runner.data.records import Record, columns_of
from runner.errors import SourceError

if TYPE_CHECKING:
    from runner.recipe.types import Dataset

ROWS = 256
"""Of a batch that becomes Python's values at once."""


class Batch(Protocol):
    """A record batch of pyarrow, with the columns that are read."""

    num_rows: int

    def slice(self, offset: int, length: int) -> Batch:
        """Some of its rows."""

    def to_pylist(self) -> list[dict[str, object]]:
        """The rows as values of Python."""


Batches = Callable[[BinaryIO, "Dataset"], Iterator[Batch]]
"""Gives the batches of an open file."""


def needed(dataset: Dataset) -> None:
    """Refuse what can't be read here.

    Raises:
        SourceError: pyarrow is not installed.
    """
    if not importlib.util.find_spec("pyarrow"):
        message = f"dataset {dataset.name}: {dataset.path} is read with the package pyarrow, which is not installed"
        raise SourceError(message, hint="pip install 'ovrun[data]'")


def chosen(names: Iterable[str], dataset: Dataset) -> list[str]:
    """The columns to read of those that a table has.

    Raises:
        SourceError: one is not there.
    """
    there, columns = list(names), columns_of(dataset)
    if absent := [missing("column", name, there) for name in columns if name not in there]:
        message = f"dataset {dataset.name}: {dataset.path}: {'; '.join(absent)}"
        raise SourceError(message)
    return columns


def table_records(dataset: Dataset, batches: Batches) -> Iterator[Record]:
    """The rows of a file's batches; `batches` gets the open file.

    Raises:
        SourceError: the file can't be read.
    """
    needed(dataset)
    rows = _rows(dataset, batches)
    for number, row in enumerate(rows):
        yield Record(number, f"{dataset.path}, row {number + 1}", lambda row=row: row)  # type: ignore[misc]


def _rows(dataset: Dataset, batches: Batches) -> Iterator[dict[str, object]]:
    """Rows as mappings; what the library raises over a broken file is the file's fault."""
    import pyarrow

    try:
        with open_file(dataset) as file:
            for batch in batches(file, dataset):
                for start in range(0, batch.num_rows, ROWS):
                    yield from batch.slice(start, ROWS).to_pylist()
    except (pyarrow.ArrowException, OSError, ValueError) as error:
        message = f"dataset {dataset.name}: {dataset.path} can't be read: {error}"
        raise SourceError(message) from error
