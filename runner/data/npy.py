"""The header of a .npy file: what it says of an array, read without numpy and without running what it says."""

from __future__ import annotations

import math
import re
import struct
from dataclasses import dataclass
from typing import IO

_MAGIC = b"\x93NUMPY"
_VERSIONS = (1, 2, 3)
_LONGEST = 1 << 16
_MOST_AXES = 32
_VALUE = r"""'[^']*'|"[^"]*"|True|False|\([\d\sL,]*\)"""
_ITEM = re.compile(rf"""\s*['"](descr|fortran_order|shape)['"]\s*:\s*({_VALUE})\s*(?:,|$)""")
_NUMBERS = re.compile(r"[<>=|]?(?:[iu]([1248])|f([248]))")
_OTHERS = {
    "O": "pickled objects",
    "c": "complex numbers",
    "b": "true and false",
    "S": "bytes",
    "a": "bytes",
    "U": "texts",
    "M": "dates",
    "m": "durations",
    "V": "structures",
}


@dataclass(frozen=True)
class Header:
    """An array as its header tells.

    Attributes:
        dtype: NumPy's type string.
        shape: of the array.
        fortran: whether the first axis varies fastest.
        size: bytes of the header itself.
    """

    dtype: str
    shape: tuple[int, ...]
    fortran: bool
    size: int

    @property
    def bytes(self) -> int:
        """What the array's values need."""
        found = _NUMBERS.fullmatch(self.dtype)
        assert found
        return math.prod(self.shape) * int(found[1] or found[2])

    @property
    def other(self) -> str | None:
        """What the array holds, if that isn't whole numbers or floats."""
        if _NUMBERS.fullmatch(self.dtype):
            return None
        kind = self.dtype.lstrip("<>=|")[:1]
        return _OTHERS.get(kind, f"values of type {self.dtype!r}")


def read_header(file: IO[bytes], name: str) -> Header:
    """Read a header as NumPy's format description (NEP 1) lays it out.

    Raises:
        ValueError: it isn't one, or not that of a plain array.
        struct.error: it is cut off.
    """
    if file.read(len(_MAGIC)) != _MAGIC:
        message = f'array "{name}" is not in NumPy\'s format'
        raise ValueError(message)
    major, _ = struct.unpack("BB", file.read(2))
    if major not in _VERSIONS:
        message = f'array "{name}" is of version {major} of NumPy\'s format; known are 1, 2 and 3'
        raise ValueError(message)
    kind, width = ("<H", 2) if major == 1 else ("<I", 4)
    (length,) = struct.unpack(kind, file.read(width))
    if length > _LONGEST:
        message = f'array "{name}" has a header of {length} bytes; those of NumPy have some hundred'
        raise ValueError(message)
    text = file.read(length).decode("latin-1" if major < 3 else "utf-8")
    fields = _fields(text.strip())
    if fields is None or len(text) < length:
        message = f'array "{name}" has a header that is not that of a plain array: {text[:100]!r}'
        raise ValueError(message)
    sizes = tuple(int(size.strip().rstrip("L")) for size in fields["shape"][1:-1].split(",") if size.strip())
    if len(sizes) > _MOST_AXES or math.prod(sizes) >= 1 << 62:
        message = f'array "{name}" has a shape of {len(sizes)} axes that no memory holds'
        raise ValueError(message)
    return Header(fields["descr"][1:-1], sizes, fields["fortran_order"] == "True", len(_MAGIC) + 2 + width + length)


def _fields(text: str) -> dict[str, str] | None:
    """The three fields as they are written; None for anything else."""
    inner, found, position = text[1:-1].rstrip(), {}, 0
    for item in _ITEM.finditer(inner):
        if item.start() != position or item[1] in found:
            return None
        found[item[1]], position = item[2], item.end()
    whole = text[:1] == "{" and text[-1:] == "}" and position == len(inner)
    right = whole and set(found) == {"descr", "fortran_order", "shape"}
    plain = right and found["descr"][0] in "'\"" and found["fortran_order"] in ("True", "False")
    return found if plain and found["shape"][0] == "(" and not re.search(r"\d\s+\d", found["shape"]) else None
