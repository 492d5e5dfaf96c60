"""Text files: one continuous UTF-8 text, line ends as they are in the file; also the line reader for others."""

from __future__ import annotations

import codecs
import hashlib
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from runner.data.opening import open_file
from runner.data.records import Record
from runner.data.selection import Place, selected
from runner.errors import SourceError

if TYPE_CHECKING:
    from runner.recipe.types import Dataset

_BLOCK = 1 << 20
_WHOLE = "line"
"""The column of a line with its end."""


def lines(dataset: Dataset, longest: int = -1) -> Iterator[tuple[int, str]]:
    """Each line with its number from 1, line end included, a leading byte order mark left out.

    `longest` is how many bytes a line may have.

    Raises:
        SourceError: the file can't be read, or a line is too long or not UTF-8.
    """
    return ((number, decoded(dataset, number, raw)) for number, raw in raw_lines(dataset, longest))


def raw_lines(dataset: Dataset, longest: int = -1) -> Iterator[tuple[int, bytes]]:
    """The same as it is in the file."""
    try:
        with open_file(dataset) as file:
            for number, raw in enumerate(iter(lambda: file.readline(longest), b""), 1):
                if len(raw) == longest:
                    message = f"{dataset.path}:{number}: a line of more than {longest >> 20} MB"
                    raise SourceError(message, hint="A jsonl file holds one JSON object a line.")
                yield number, raw
    except OSError as error:
        message = f"dataset {dataset.name}: {dataset.path}: {error.strerror}"
        raise SourceError(message) from error


def decoded(dataset: Dataset, number: int, raw: bytes) -> str:
    """The text of a line.

    Raises:
        SourceError: it is not UTF-8.
    """
    try:
        return raw.decode("utf-8-sig" if number == 1 else "utf-8")
    except UnicodeDecodeError as error:
        message = f"{dataset.path}:{number}:{error.start + 1}: byte 0x{error.object[error.start]:02x} is not UTF-8"
        raise SourceError(message, hint="Save the file as UTF-8.") from error


def check(dataset: Dataset) -> None:
    """Read the lines that will be used.

    Raises:
        SourceError: not UTF-8, or nothing but white space.
    """
    if not sum(bool(part.strip()) for part in used(dataset)):
        message = f"dataset {dataset.name}: {dataset.path} has no text"
        raise SourceError(message)


def read_text(dataset: Dataset) -> list[str]:
    """The text, up to `limit` lines of it, as one row.

    Raises:
        SourceError: not UTF-8, or nothing but white space.
    """
    check(dataset)
    return ["".join(used(dataset))]


def records(dataset: Dataset) -> Iterator[Record]:
    """Each line, without its end, in the column `text`."""
    offset = 0
    for line, raw in raw_lines(dataset):
        yield _record(dataset, (line - 1, line, offset), raw)
        offset += len(raw)


def records_at(dataset: Dataset, places: Iterable[Place]) -> Iterator[Record]:
    """The lines at places that were found before."""
    with open_file(dataset) as file:
        for place in places:
            file.seek(place[2])
            yield _record(dataset, place, file.readline())


def _record(dataset: Dataset, place: Place, raw: bytes) -> Record:
    number, line, offset = place
    where = f"{dataset.path}:{line}"
    return Record(number, where, lambda: _columns(decoded(dataset, line, raw)), line, offset)


def _columns(line: str) -> dict[str, str]:
    return {"text": line.rstrip("\r\n"), _WHOLE: line}


def used(dataset: Dataset) -> Iterator[str]:
    """The text in parts: chosen lines, or the whole in blocks, for a file can have millions of lines.

    Raises:
        SourceError: the file can't be read, or is not UTF-8.
    """
    if dataset.limit is None and not dataset.where and not dataset.shuffle:
        yield from _blocks(dataset)
    else:
        yield from (str(one.load()[_WHOLE]) for one in selected(dataset, _READER))


class _Lines:
    records = staticmethod(records)
    records_at = staticmethod(records_at)


_READER = _Lines()


def digest(dataset: Dataset, total: hashlib._Hash) -> None:
    """Feed the text that is used into a digest.

    Raises:
        SourceError: the file can't be read, or is not UTF-8.
    """
    for part in used(dataset):
        total.update(part.encode())


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
