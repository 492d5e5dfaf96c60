"""Which files an ONNX model keeps its weights in, read from the model itself without the onnx package."""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from pathlib import Path

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


def external_files(path: Path) -> list[str]:
    """The names of the files as the model gives them, relative to its own folder.

    Of a damaged model, the names before the damage; what is wrong with it is OpenVINO's to tell.
    """
    found: set[str] = set()
    with path.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as content:
        found.update(_locations(content, "model", 0, len(content)))
    return sorted(found)


def _locations(content: mmap.mmap, message: str, start: int, stop: int) -> Iterator[str]:
    if message == "external data":
        entry = {field: content[begin:end] for field, begin, end in _fields(content, start, stop)}
        if entry.get(1) == b"location":
            yield entry.get(2, b"").decode(errors="surrogateescape")
        return
    inside = _INSIDE[message]
    for field, begin, end in _fields(content, start, stop):
        if field in inside:
            yield from _locations(content, inside[field], begin, end)


def _fields(content: mmap.mmap, at: int, stop: int) -> Iterator[tuple[int, int, int]]:
    """The fields of a message that have a length: number, start and end of what they hold."""
    while at < stop:
        tag, at = _varint(content, at, stop)
        kind = tag & 7
        value, at = _varint(content, at, stop) if kind in (_VARINT, _LENGTH) else (0, at)
        if kind == _LENGTH and at + value <= stop:
            yield tag >> 3, at, at + value
        at += value if kind == _LENGTH else _FIXED.get(kind, 0 if kind == _VARINT else stop)


def _varint(content: mmap.mmap, at: int, stop: int) -> tuple[int, int]:
    """A number of seven bits a byte, the lowest first, and where it ends."""
    value = shift = 0
    while at < stop:
        byte = content[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            break
    return value, at
