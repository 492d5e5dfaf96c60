"""Folders of files that are rows themselves: their classes are the names of subfolders, or a table lies beside them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from runner import data
from runner.data.records import Record
from runner.data.rows import RowReader
from runner.errors import SourceError

if TYPE_CHECKING:
    from runner.data.images import ImageText
    from runner.recipe.types import Dataset

_TABLES = ("metadata.csv", "metadata.jsonl", "metadata.parquet")
_NAME, _ENDS = "file_name", "_file_name"
SPLITS = frozenset({"train", "training", "validation", "valid", "val", "dev", "test", "testing", "eval", "evaluation"})
"""Names of the parts of a dataset."""


@dataclass(frozen=True)
class FolderReader:
    """Reads folders of files of one kind.

    Attributes:
        column: of the rows, that has a file's name.
        suffixes: of these files.
    """

    column: str
    suffixes: frozenset[str]

    def records(self, dataset: Dataset) -> Iterator[Record]:
        """A row for each line of the table or, without one, for each file, sorted by name.

        Raises:
            SourceError: the folder is not there, or has no such files; or the table can't be read.
        """
        top = part(dataset)
        table = next((top / name for name in _TABLES if (top / name).is_file()), None)
        yield from self._of_table(dataset, top, table) if table else self._of_names(dataset, top)

    def check(self, dataset: Dataset) -> None:
        """Read all rows that will be used, and decode their files; classes are looked for where there are some.

        Raises:
            SourceError: as `records`, or a file is broken.
        """
        RowReader(self.records).check(self.given(dataset))

    def given(self, dataset: Dataset) -> Dataset:
        """The dataset without the column of classes, if nobody gave any."""
        first = next(self.records(dataset), None)
        if first is None or dataset.columns.get("label") != "label" or "label" in first.load():
            return dataset
        return replace(dataset, columns={role: name for role, name in dataset.columns.items() if role != "label"})

    def read_text(self, dataset: Dataset) -> list[str]:
        """As of other rows."""
        return RowReader(self.records).read_text(dataset)

    def read_pairs(self, dataset: Dataset) -> list[tuple[str, str]]:
        """As of other rows."""
        return RowReader(self.records).read_pairs(dataset)

    def read_images(self, dataset: Dataset) -> list[ImageText]:
        """As of other rows."""
        return RowReader(self.records).read_images(dataset)

    def files(self, dataset: Dataset) -> list[Path]:
        """The folder with all that are in it, and its table."""
        top = part(dataset)
        return [*(Path(folder) for folder, _, _ in os.walk(top)), *(p for n in _TABLES if (p := top / n).is_file())]

    def root(self, dataset: Dataset) -> Path:
        """The folder with which the names of files begin."""
        return dataset.path

    def _of_table(self, dataset: Dataset, top: Path, table: Path) -> Iterator[Record]:
        columns = {role: self._column(name) for role, name in dataset.columns.items() if name != "label"}
        asked = {self._column(name): value for name, value in (dataset.where or {}).items()}
        inner = replace(dataset, path=table, format=table.suffix[1:], columns=columns, where=asked or None)
        inside = top.relative_to(dataset.path)
        for record in data.reader(inner).records(inner):
            yield replace(record, load=lambda record=record: self._named(record, inside))

    def _column(self, name: str) -> str:
        """The column of the table for one of the rows."""
        return _NAME if name == self.column else name

    def _named(self, record: Record, inside: Path) -> Mapping[str, object]:
        row = dict(record.load())
        if _NAME not in row:
            message = f'{record.where}: no column "{_NAME}", which names the files; there are: {", ".join(row)}'
            raise SourceError(message)
        return row | {self.column: (inside / str(row.pop(_NAME))).as_posix()}

    def _of_names(self, dataset: Dataset, top: Path) -> Iterator[Record]:
        names = sorted(_names(top, self.suffixes))
        if not names:
            message = f"dataset {dataset.name}: {top} has no files that end in {', '.join(sorted(self.suffixes))}"
            raise SourceError(message)
        if dataset.split is None and (splits := {name.split("/")[0] for name in names}) <= SPLITS:
            message = f"dataset {dataset.name}: {top} has the parts {', '.join(sorted(splits))}"
            raise SourceError(message, hint="Name one of them with `split`.")
        inside = top.relative_to(dataset.path)
        for number, name in enumerate(names):
            folder = Path(name).parent.name
            row = {self.column: (inside / name).as_posix()} | ({"label": folder} if folder else {})
            yield Record(number, str(top / name), lambda row=row: row)  # type: ignore[misc]


def part(dataset: Dataset) -> Path:
    """The folder of the split, or the whole.

    Raises:
        SourceError: it is not there, or no folder.
    """
    top = dataset.path / dataset.split if dataset.split else dataset.path
    inside = not dataset.split or not {"..", ""} & set(dataset.split.split("/"))
    try:
        if inside and top.is_dir():
            return top
        what = "is a file, not a folder" if top.exists() else "no such folder"
    except (OSError, ValueError) as error:
        what = str(getattr(error, "strerror", None) or error)
    message = f"dataset {dataset.name}: {top}: {what}"
    raise SourceError(message, hint="Paths in a recipe are relative to the file that states them.")


def _names(top: Path, suffixes: frozenset[str]) -> Iterator[str]:
    """The files below a folder; hidden ones are no part of it, and links to folders are not followed."""
    for folder, folders, files in os.walk(top):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in files:
            if not name.startswith(".") and Path(name).suffix.lower() in suffixes:
                yield (Path(folder) / name).relative_to(top).as_posix()
