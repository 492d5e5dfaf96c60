"""A LevelDB table of one block, which is how TensorFlow keeps a checkpoint's index (LevelDB's doc/table_format.md)."""

from __future__ import annotations

import struct
from collections.abc import Mapping

from tests.foreign.protobuf import varint

_MAGIC = 0xDB4775248B80FB57
_CASTAGNOLI = 0x82F63B78


def table(entries: Mapping[str, bytes]) -> bytes:
    """The file: a block of the entries in the order of their keys, no metadata, an index of one line, the footer."""
    data = _block(entries)
    meta = _block({})
    index = _block({max(entries): _handle(0, data)})
    handles = _handle(len(data), meta) + _handle(len(data) + len(meta), index)
    return data + meta + index + handles.ljust(40, b"\0") + struct.pack("<Q", _MAGIC)


def masked_crc32c(data: bytes) -> bytes:
    """The checksum of data as LevelDB stores it: CRC-32C, turned by 15 bits, plus a constant."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (_CASTAGNOLI if crc & 1 else 0)
    crc ^= 0xFFFFFFFF
    return struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)


def _block(entries: Mapping[str, bytes]) -> bytes:
    """Entries with whole keys, one restart point at the start, no compression, the checksum."""
    lines = b"".join(
        varint(0) + varint(len(key)) + varint(len(value)) + key.encode() + value
        for key, value in sorted(entries.items())
    )
    content = lines + struct.pack("<II", 0, 1) + b"\0"
    return content + masked_crc32c(content)


def _handle(offset: int, block: bytes) -> bytes:
    """Where a block is and how long it is, without the five bytes of its type and checksum."""
    return varint(offset) + varint(len(block) - 5)
