"""Parquet: row groups, of which only the columns in use are read."""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO

from runner.data.rows import RowReader
from runner.data.tables import ROWS, Batch, chosen, table_records

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runner.data.records import Record
    from runner.recipe.types import Dataset


def records(dataset: Dataset) -> Iterator[Record]:
    """The rows, with the columns in use."""
    return table_records(dataset, _batches)


def _batches(file: BinaryIO, dataset: Dataset) -> Iterator[Batch]:
    from pyarrow.parquet import ParquetFile

    table = ParquetFile(file, pre_buffer=False, buffer_size=1 << 20)
    columns = chosen(table.schema_arrow.names, dataset)
    yield from table.iter_batches(batch_size=ROWS, columns=columns, use_threads=False)


_READER = RowReader(records)
check, read_text, read_pairs = _READER.check, _READER.read_text, _READER.read_pairs
read_images = _READER.read_images
