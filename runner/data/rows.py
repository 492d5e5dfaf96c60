"""Rows in named columns, whatever file they come from: texts, prompts with replies, images with texts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

from runner.data import images, sounds
from runner.data.images import ImageText, Picture
from runner.data.records import Record
from runner.data.roles import IMAGES, TEXTS
from runner.data.selection import Place
from runner.data.sounds import Sound
from runner.data.table import Row, rows
from runner.errors import SourceError

if TYPE_CHECKING:
    from runner.recipe.types import Dataset
    from runner.registry.formats import DataFormat


@dataclass(frozen=True)
class RowReader:
    """Reads datasets of a format by the function that reads its rows."""

    records: Callable[[Dataset], Iterator[Record]]
    records_at: Callable[[Dataset, Iterable[Place]], Iterator[Record]] | None = None

    def check(self, dataset: Dataset) -> None:
        """Read the rows that will be used, all columns that the dataset names.

        Raises:
            SourceError: a row can't be read, lacks a column, or the whole has no rows.
        """
        if not dataset.columns:
            message = f"dataset {dataset.name}: {dataset.path} has rows, and the recipe names no column of them"
            hint = "Give the dataset `column` for text, or `prompt` and `reply` for questions with known answers."
            raise SourceError(message, hint=hint)
        texts = TEXTS & dataset.columns.keys()
        if not sum(_says_something(row, texts) for row in rows(dataset)):
            _refuse_empty(dataset, "with text" if texts else "")
        for role in IMAGES & dataset.columns.keys():
            images.check(_pictures(dataset, role))
        if "audio" in dataset.columns:
            found = (row.values["audio"] for row in rows(dataset, ("audio",)))
            sounds.check(one for one in found if isinstance(one, Sound))

    def read_text(self, dataset: Dataset) -> list[str]:
        """The column's texts, without those that are nothing but white space.

        Raises:
            SourceError: as `check`.
        """
        if not (found := [text for row in rows(dataset, ("text",)) if (text := str(row.values["text"])).strip()]):
            _refuse_empty(dataset, "with text")
        return found

    def read_pairs(self, dataset: Dataset) -> list[tuple[str, str]]:
        """The (prompt, reply) of each row.

        Raises:
            SourceError: as `check`.
        """
        found = [(str(row.values["prompt"]), str(row.values["reply"])) for row in rows(dataset, ("prompt", "reply"))]
        if not any(text.strip() for pair in found for text in pair):
            _refuse_empty(dataset, "with text")
        return found

    def read_images(self, dataset: Dataset) -> list[ImageText]:
        """Each row's image with its text; those whose text is nothing but white space are left out.

        Raises:
            SourceError: a row can't be read, or its image is not there.
        """
        return [
            ImageText(one.where, one.column, one.folder, one.name, one.content, text).located()
            for one, text in _described(dataset)
        ]


def _refuse_empty(dataset: Dataset, what: str) -> NoReturn:
    chosen = " that `where` lets through" if dataset.where else ""
    message = f"dataset {dataset.name}: {dataset.path} has no rows{what and ' '}{what}{chosen}"
    raise SourceError(message)


def _says_something(row: Row, texts: Iterable[str]) -> bool:
    """Whether a row has a text in one of the columns, if there are any."""
    values = [str(row.values[role]) for role in texts]
    return not values or any(value.strip() for value in values)


def _described(dataset: Dataset) -> Iterator[tuple[Picture, str]]:
    for row in rows(dataset, ("image", "text")):
        one, text = row.values["image"], str(row.values["text"])
        if isinstance(one, Picture) and text.strip():
            yield one, text


def _pictures(dataset: Dataset, role: str) -> Iterator[Picture]:
    """The images of a role; where they are the images of texts, those of texts that say something."""
    if role == "image" and "text" in dataset.columns:
        yield from (one for one, _ in _described(dataset))
        return
    for row in rows(dataset, (role,)):
        one = row.values[role]
        if isinstance(one, Picture):
            yield one


def reader(declared: DataFormat) -> RowReader:
    """What reads the datasets of a format that is declared by a function."""
    function = declared.function
    assert function is not None

    def records(dataset: Dataset) -> Iterator[Record]:
        number = -1
        try:
            for number, row in enumerate(function(dataset.path)):
                yield Record(number, f"{dataset.path}, row {number + 1}", lambda row=row: row)  # type: ignore[misc]
        except (ValueError, UnicodeDecodeError) as error:
            message = f"{dataset.path}, row {number + 2}: {error}"
            raise SourceError(message) from error
        except OSError as error:
            message = f"dataset {dataset.name}: {dataset.path}: {error.strerror or error}"
            raise SourceError(message) from error

    return RowReader(records)
