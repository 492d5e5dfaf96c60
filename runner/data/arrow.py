"""Arrow's IPC format, as a file with a table of its batches, or as a stream of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO

from runner.data.rows import RowReader
from runner.data.tables import Batch, chosen, table_records

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runner.data.records import Record
    from runner.recipe.types import Dataset

_MAGIC = b"ARROW1"


def records(dataset: Dataset) -> Iterator[Record]:
    """The rows, with the columns in use."""
    return table_records(dataset, _batches)


def _batches(file: BinaryIO, dataset: Dataset) -> Iterator[Batch]:
    from pyarrow import ipc

    is_file = file.read(len(_MAGIC)) == _MAGIC
    file.seek(0)
    table = ipc.open_file(file) if is_file else ipc.open_stream(file)
    columns = chosen(table.schema.names, dataset)
    batches = (table.get_batch(number) for number in range(table.num_record_batches)) if is_file else table
    yield from (batch.select(columns) for batch in batches)


_READER = RowReader(records)
check, read_text, read_pairs = _READER.check, _READER.read_text, _READER.read_pairs
read_images = _READER.read_images
