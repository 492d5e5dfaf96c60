"""Values with bars between them: a first line of names, then a row a line."""

import csv
from collections.abc import Iterator
from pathlib import Path

from runner.registry.formats import row_format


@row_format("psv", help="values with bars between them, after a line of names")
def piped_rows(path: Path) -> Iterator[dict[str, str]]:
    """Each row by the names of the first line."""
    with path.open(encoding="utf-8", newline="") as file:
        try:
            yield from csv.DictReader(file, delimiter="|", strict=True)
        except csv.Error as error:
            raise ValueError(str(error)) from error
