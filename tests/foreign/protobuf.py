"""Protobuf messages without their classes: dicts become the wire format or the text format.

A key is a field's name and number in its .proto file, such as `"op 2"`; a list is a repeated field.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import IntEnum
from typing import Any

Message = Mapping[str, Any]


class Fixed32(bytes):
    """Four bytes that stand as they are, for fields of the types fixed32 and float."""


def wire(message: Message) -> bytes:
    """The wire format: whole numbers as varints; text, bytes and messages with their length before them."""
    return b"".join(_field(int(key.split()[1]), value) for key, value in _fields(message))


def text(message: Message, indent: str = "") -> str:
    """The text format."""
    return "".join(f"{indent}{key.split()[0]}{_text(value, indent)}\n" for key, value in _fields(message))


def varint(value: int) -> bytes:
    """Seven bits a byte, the lowest first; negative numbers in two's complement of 64 bits."""
    value &= (1 << 64) - 1
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def _fields(message: Message) -> Iterator[tuple[str, Any]]:
    for key, values in message.items():
        for value in values if isinstance(values, list) else [values]:
            yield key, value


def _field(number: int, value: Any) -> bytes:
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    if isinstance(value, Fixed32):
        return varint(number << 3 | 5) + value
    content = wire(value) if isinstance(value, Mapping) else value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(content)) + content


def _text(value: Any, indent: str) -> str:
    match value:
        case Mapping():
            return " {\n" + text(value, indent + "  ") + indent + "}"
        case bytes():
            return ': "' + "".join(f"\\{byte:03o}" for byte in value) + '"'
        case str():
            return f': "{value}"'
        case bool():
            return f": {str(value).lower()}"
        case IntEnum():
            return f": {value.name}"
        case _:
            return f": {value}"
