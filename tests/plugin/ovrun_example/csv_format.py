"""Comma-separated values: a first line of names, then a row a line."""

import csv
from collections.abc import Iterator
from pathlib import Path

from runner.registry.formats import row_format


@row_format("csv", help="comma-separated values with a line of names")
def csv_rows(path: Path) -> Iterator[dict[str, str]]:
    """Each row by the names of the first line."""
    with path.open(encoding="utf-8", newline="") as file:
        try:
            yield from csv.DictReader(file, strict=True)
        except csv.Error as error:
            raise ValueError(str(error)) from error
