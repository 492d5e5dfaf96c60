"""The header of a safetensors file: 8 bytes of its length N, N bytes of JSON, the data. Checked without the library."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import runner.base.files as fs
from runner.errors import SourceError

_MAX_HEADER = 100_000_000  # bytes; the limit of the format
_BITS = {
    **dict.fromkeys(("BOOL", "U8", "I8", "F8_E5M2", "F8_E4M3", "F8_E8M0", "F8_E4M3FNUZ", "F8_E5M2FNUZ"), 8),
    **dict.fromkeys(("U16", "I16", "F16", "BF16"), 16),
    **dict.fromkeys(("U32", "I32", "F32"), 32),
    **dict.fromkeys(("U64", "I64", "F64", "C64"), 64),
    **{"F4": 4, "F6_E2M3": 6, "F6_E3M2": 6},
}
"""Type -> bits of an element."""


def check_safetensors(path: Path) -> int:
    """Hold every entry of a safetensors file's header against the file; how many weights it has.

    Raises:
        SourceError: the file is truncated or longer than its header says, its entries are of wrong types, overlap or
            leave holes, or it is no safetensors file.
    """
    length, entries = _read_header(path)
    held = path.stat().st_size - 8 - length
    try:
        end = _end_of(entries)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        message = f"{path}: damaged: its header cannot be used: {_reason(error)}"
        raise SourceError(message, hint="Download or copy the file again.") from error
    if held != end:
        what = "truncated" if held < end else "damaged"
        message = f"{path}: {what}: its header stands for {8 + length + end} bytes, the file has {8 + length + held}"
        raise SourceError(message, hint="Download or copy the file again.")
    return len(entries)


def safetensors_dtypes(path: Path) -> set[str]:
    """The floating-point types in a safetensors file, by the format's own names: F32, F16, BF16 …"""
    return {entry["dtype"] for entry in _read_header(path)[1].values() if "F" in entry["dtype"]}


def shapes(path: Path) -> dict[str, list[int]]:
    """The shape of each tensor by its name.

    Raises:
        SourceError: the file has no header that can be used.
    """
    try:
        return {name: [int(size) for size in entry["shape"]] for name, entry in _read_header(path)[1].items()}
    except (KeyError, TypeError, ValueError) as error:
        message = f"{path}: damaged: its header cannot be used: {_reason(error)}"
        raise SourceError(message) from error


def _end_of(entries: Mapping[str, object]) -> int:
    """Where the data end; ValueError if an entry does not begin where another ends."""
    end = 0
    for start, stop, name in sorted(_places(entries)):
        if start != end:
            message = f"{name} does not begin where the weight before it ends"
            raise ValueError(message)
        end = stop
    return end


def _places(entries: Mapping[str, Any]) -> Iterator[tuple[int, int, str]]:
    """First and last byte of each weight, which follow from its type and shape."""
    for name, entry in entries.items():
        start, stop = entry["data_offsets"]
        bits = _BITS[entry["dtype"]]
        for number in (start, stop, *entry["shape"]):
            if type(number) is not int or not 0 <= number < 1 << 63:
                message = f"{name} has {number!r} for a size or place"
                raise ValueError(message)
        for length in entry["shape"]:
            bits = min(bits * length, 1 << 80)
        if bits != 8 * (stop - start):
            message = f"{name} has another size than its type and shape"
            raise ValueError(message)
        yield start, stop, name


def _read_header(path: Path) -> tuple[int, dict[str, Any]]:
    """The header's length in bytes and its entries by tensor name."""
    with fs.open_regular(path) as stream:
        start = stream.read(8)
        length = int.from_bytes(start, "little")
        raw = stream.read(length) if length <= _MAX_HEADER else b""
    if start == b"version ":
        message = f"{path}: a Git LFS pointer stands in place of the weights"
        raise SourceError(message, hint=f"Run `git lfs pull` in {path.parent}.")
    if len(start) < 8 or not 0 < len(raw) == length:
        message = f"{path}: truncated, or no safetensors file: it ends before its header does"
        raise SourceError(message, hint="Download or copy the file again.")
    return length, _entries(path, raw)


def _entries(path: Path, raw: bytes) -> dict[str, object]:
    try:
        entries = json.loads(raw, object_pairs_hook=_once)
        metadata = entries.pop("__metadata__", {})
        valid = all(isinstance(entry, dict) and isinstance(entry["dtype"], str) for entry in entries.values())
        valid = valid and all(isinstance(value, str) for value in metadata.values())
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        valid = False
    if not valid:
        message = f"{path}: no safetensors file: its header cannot be read"
        raise SourceError(message)
    return dict(entries)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, object]:
    """An object of JSON; ValueError if it has a name twice."""
    found = dict(pairs)
    if len(found) < len(pairs):
        message = "a name stands twice"
        raise ValueError(message)
    return found


def _reason(error: Exception) -> str:
    return f"no or an unknown {error}" if isinstance(error, KeyError) else str(error)
