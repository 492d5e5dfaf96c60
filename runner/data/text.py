"""Text files: one continuous UTF-8 text, line ends as they are in the file; also the line reader for jsonl."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING

from runner.data.opening import open_file
from runner.data.records import Record
from runner.errors import SourceError

if TYPE_CHECKING:
    from runner.recipe.types import Dataset

_BLOCK = 1 << 20


def lines(dataset: Dataset, longest: int = -1) -> Iterator[tuple[int, str]]:
    """Each line with its number from 1, line end included, a leading byte order mark left out.

    `longest` is how many bytes a line may have.

    Raises:
        SourceError: the file can't be read, or a line is too long or not UTF-8.
    """
    number = 0
    try:
        with open_file(dataset) as file:
            for number, raw in enumerate(iter(lambda: file.readline(longest), b""), 1):
                if len(raw) == longest:
                    message = f"{dataset.path}:{number}: a line of more than {longest >> 20} MB"
                    raise SourceError(message, hint="A jsonl file holds one JSON object a line.")
                yield number, raw.decode("utf-8-sig" if number == 1 else "utf-8")
    except UnicodeDecodeError as error:
        message = f"{dataset.path}:{number}:{error.start + 1}: byte 0x{error.object[error.start]:02x} is not UTF-8"
        raise SourceError(message, hint="Save the file as UTF-8.") from error
    except OSError as error:
        message = f"dataset {dataset.name}: {dataset.path}: {error.strerror}"
        raise SourceError(message) from error


def check(dataset: Dataset) -> None:
    """Read the lines that will be used.

    Raises:
        SourceError: not UTF-8, or nothing but white space.
    """
    if not sum(bool(part.strip()) for part in _used(dataset)):
        message = f"dataset {dataset.name}: {dataset.path} has no text"
        raise SourceError(message)


def read_text(dataset: Dataset) -> list[str]:
    """The text, up to `limit` lines of it, as one row.

    Raises:
        SourceError: not UTF-8, or nothing but white space.
    """
    check(dataset)
    return ["".join(_used(dataset))]


def records(dataset: Dataset) -> Iterator[Record]:
    """Each line without its end, in the column `text`."""
    for number, line in lines(dataset):
        found = {"text": line.rstrip("\r\n")}
        yield Record(number - 1, f"{dataset.path}:{number}", lambda found=found: found)  # type: ignore[misc]


def _used(dataset: Dataset) -> Iterator[str]:
    """The text in parts: lines up to the limit, or the whole in blocks, for a file can have millions of lines."""
    if dataset.limit is None:
        yield from _blocks(dataset)
    else:
        yield from (line for _, line in islice(lines(dataset), dataset.limit))


def _blocks(dataset: Dataset) -> Iterator[str]:
    decoder = codecs.getincrementaldecoder("utf-8-sig")()
    try:
        with open_file(dataset) as file:
            while block := file.read(_BLOCK):
                yield decoder.decode(block)
        yield decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        yield from (line for _, line in lines(dataset))  # which says where
        raise
    except OSError as error:
        message = f"dataset {dataset.name}: {dataset.path}: {error.strerror}"
        raise SourceError(message) from error
