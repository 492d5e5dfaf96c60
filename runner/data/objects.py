"""JSON: one list of objects, read object by object."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from runner.data.jsonl import DECODER
from runner.data.opening import open_file
from runner.data.records import Record
from runner.data.rows import RowReader
from runner.errors import SourceError

if TYPE_CHECKING:
    from runner.recipe.types import Dataset

_BLOCK = 1 << 20
_LONGEST = 64 << 20
_GAP = re.compile(r"\s*")


def records(dataset: Dataset) -> Iterator[Record]:
    """The objects of the list.

    Raises:
        SourceError: the file holds something else, or an object is broken or too large.
    """
    text = _Text(dataset)
    if text.sign() != "[":
        message = f"{dataset.path}: not a list of JSON objects"
        raise SourceError(
            message, hint='A json file reads like [{"text": "…"}, {"text": "…"}]; one object a line is jsonl.'
        )
    text.skip()
    number = 0
    while text.sign() != "]":
        where = f"{dataset.path}, row {number + 1}"
        row = text.value(where)
        yield Record(number, where, lambda row=row: row)  # type: ignore[misc]
        number += 1
        if text.sign() == ",":
            text.skip()
        elif text.sign() != "]":
            message = f"{where}: not followed by a comma or the end of the list"
            raise SourceError(message)
    text.skip()
    if text.sign():
        message = f"{dataset.path}: something follows the list"
        raise SourceError(message)


class _Text:
    """The text of a file, of which a part is held: from the place that is read to the end of a block."""

    def __init__(self, dataset: Dataset) -> None:
        self.blocks = _decoded(dataset)
        self.held, self.at = "", 0

    def sign(self) -> str:
        """The next character that is no white space; empty at the end."""
        while True:
            self.at = _GAP.match(self.held, self.at).end()  # type: ignore[union-attr]
            if self.at < len(self.held) or not self._more():
                return self.held[self.at : self.at + 1]

    def skip(self) -> None:
        """Go over one character."""
        self.at += 1

    def value(self, where: str) -> dict[str, object]:
        """The object that begins here; more of the file is read while it doesn't end, each time twice as much."""
        if self.sign() != "{":
            message = f"{where}: not a JSON object"
            raise SourceError(message)
        wanted = _BLOCK
        while True:
            try:
                found, self.at = DECODER.raw_decode(self.held, self.at)
                return found  # type: ignore[no-any-return]
            except RecursionError as error:
                message = f"{where}: JSON nested too deeply"
                raise SourceError(message) from error
            except ValueError as error:
                self._grow(wanted, where, error)
            wanted *= 2

    def _grow(self, wanted: int, where: str, error: ValueError) -> None:
        """Hold more of the file, unless that can't mend an error."""
        self.held, self.at = self.held[self.at :], 0
        before = len(self.held)
        while len(self.held) < before + wanted and self._more():
            pass
        if len(self.held) == before or before > _LONGEST:
            said = getattr(error, "msg", error) if before <= _LONGEST else f"an object of more than {_LONGEST >> 20} MB"
            message = f"{where}: not JSON: {said}"
            raise SourceError(message) from error

    def _more(self) -> bool:
        block = next(self.blocks, "")
        self.held, self.at = self.held[self.at :] + block, 0
        return bool(block)


def _decoded(dataset: Dataset) -> Iterator[str]:
    decoder = codecs.getincrementaldecoder("utf-8-sig")()
    read = 0
    try:
        with open_file(dataset) as file:
            while block := file.read(_BLOCK):
                if text := decoder.decode(block):
                    yield text
                read += len(block)
        yield decoder.decode(b"", final=True)
    except UnicodeDecodeError as error:
        message = f"{dataset.path}: a byte near {read + error.start} is not UTF-8"
        raise SourceError(message, hint="Save the file as UTF-8.") from error
    except OSError as error:
        message = f"dataset {dataset.name}: {dataset.path}: {error.strerror}"
        raise SourceError(message) from error


_READER = RowReader(records)
check, read_text, read_pairs = _READER.check, _READER.read_text, _READER.read_pairs
read_images = _READER.read_images
