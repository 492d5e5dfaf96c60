"""Which files an ONNX model keeps its weights in, read from the model itself without the onnx package."""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from pathlib import Path

import runner.base.files as fs
from runner.errors import SourceError

# Message -> field -> the message that is in it, for all fields that lead to a tensor (onnx.proto).
_INSIDE = {
    "model": {7: "graph", 25: "function"},
    "graph": {1: "node", 5: "tensor", 15: "sparse tensor"},
    "function": {7: "node"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse tensor", 23: "sparse tensor"},
    "sparse tensor": {1: "tensor", 2: "tensor"},
    "tensor": {13: "external data"},
}
_VARINT, _LENGTH = 0, 2
_FIXED = {1: 8, 5: 4}
_LONGEST = 10  # bytes of a varint
_DEEPEST = 200  # messages in each other; each branch of a branch in a model takes three
_MOST = 2_000_000  # fields; models of many GB have some 100,000


def external_files(path: Path) -> list[str]:
    """The names of the files as the model gives them, relative to its own folder.

    Of a damaged model, the names before the damage; what is wrong with it is OpenVINO's to tell.

    Raises:
        SourceError: it is nested too deeply, or has too many fields, for a model.
    """
    with fs.open_regular(path) as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as content:
        try:
            return sorted(set(_locations(content)))
        except OverflowError as error:
            message = f"{path}: damaged: its messages are nested too deeply, or are too many, for a model"
            raise SourceError(message) from error


def _locations(content: mmap.mmap) -> Iterator[str]:
    """What the external data of all tensors name; OverflowError for what is no model."""
    waiting = [("model", 0, len(content), 0)]
    count = 0
    while waiting:
        message, start, stop, depth = waiting.pop()
        if message == "external data":
            yield from _location(content, start, stop)
            continue
        for field, begin, end in fields(content, start, stop):
            count += 1
            if depth > _DEEPEST or count > _MOST:
                raise OverflowError
            if begin < end and field in _INSIDE[message]:
                waiting.append((_INSIDE[message][field], begin, end, depth + 1))


def _location(content: mmap.mmap, start: int, stop: int) -> Iterator[str]:
    """The file's name, if this entry is the one that has it."""
    entry = {field: content[begin:end] for field, begin, end in fields(content, start, stop)}
    if entry.get(1) == b"location":
        yield entry.get(2, b"").decode(errors="surrogateescape")


def fields(content: mmap.mmap, at: int, stop: int) -> Iterator[tuple[int, int, int]]:
    """The fields of a message: number, start and end of what they hold, which is nothing for a plain number.

    It ends where a message can't go on: at a field without a number, or one that is longer than the message.
    """
    while at < stop:
        tag, at = _varint(content, at, stop)
        number, kind = tag >> 3, tag & 7
        start = at
        if kind == _LENGTH:
            length, start = _varint(content, at, stop)
            at = start + length
        elif kind == _VARINT:
            _, at = _varint(content, at, stop)
            start = at
        else:
            at = start = at + _FIXED.get(kind, stop)
        if number == 0 or at > stop:
            return
        yield number, start, at


def number(content: mmap.mmap, start: int, stop: int) -> int:
    """The plain number that begins somewhere; 0 where it is too long."""
    return _varint(content, start, stop)[0]


def _varint(content: mmap.mmap, at: int, stop: int) -> tuple[int, int]:
    """A number of seven bits a byte, the lowest first, and where it ends: beyond all where it is too long."""
    if at < stop and content[at] < 0x80:
        return content[at], at + 1
    value = 0
    for place, byte in enumerate(content[at : min(at + _LONGEST, stop)]):
        value |= (byte & 0x7F) << 7 * place
        if byte < 0x80:
            return value, at + place + 1
    return 0, stop + 1
