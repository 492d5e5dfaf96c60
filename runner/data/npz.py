"""NumPy archives: zip files of arrays."""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING

from runner.data.arrays import ArrayReader, Container
from runner.data.npy import Header, read_header
from runner.data.opening import open_file
from runner.errors import SourceError

if TYPE_CHECKING:
    from runner.recipe.types import Dataset

DAMAGE = (
    *(zipfile.BadZipFile, zipfile.LargeZipFile, zlib.error, struct.error, OSError, ValueError, KeyError, IndexError),
    *(EOFError, RuntimeError, ArithmeticError),
)
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_ENCRYPTED = 1
_BLOCK = 1 << 20
_CHECKED = 256 << 20
"""Bytes behind the items in use that are read for the sake of the archive's checksum; a longer rest is left unread."""


class _Archive:
    """The arrays of a zip file."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self.archive = archive

    def names(self) -> list[str]:
        return [name.removesuffix(".npy") for name in self.archive.namelist()]

    def header(self, name: str) -> Header:
        entry = self.archive.getinfo(f"{name}.npy")
        problem = None
        if self.archive.namelist().count(entry.filename) > 1:
            problem = "is there twice"
        elif entry.flag_bits & _ENCRYPTED:
            problem = "is encrypted"
        elif entry.compress_type not in _METHODS:
            problem = "is packed in a way that NumPy doesn't write; save it by numpy.savez or savez_compressed"
        if problem:
            message = f'array "{name}" {problem}'
            raise ValueError(message)
        with self.archive.open(entry) as file:
            return whole(read_header(file, name), name, entry.file_size)

    def open(self, name: str) -> IO[bytes]:
        return self.archive.open(f"{name}.npy")

    def check_rest(self, file: IO[bytes]) -> None:
        """Read on to the end, where the archive's checksum of the whole array is compared, unless that is far."""
        left = _CHECKED
        while left > 0 and (block := file.read(_BLOCK)):
            left -= len(block)


def whole(header: Header, name: str, size: int) -> Header:
    """A header, once there are as many bytes as it says.

    Raises:
        ValueError: there are fewer.
    """
    if not header.other and header.size + header.bytes > size:
        message = f'array "{name}" of shape {list(header.shape)} needs {header.bytes} bytes, more than there are'
        raise ValueError(message)
    return header


@contextmanager
def _opened(dataset: Dataset) -> Iterator[Container]:
    try:
        with open_file(dataset) as file, zipfile.ZipFile(file) as archive:
            yield _Archive(archive)
    except DAMAGE as error:
        message = f"dataset {dataset.name}: {dataset.path} is not a readable npz file: {error}"
        raise SourceError(message) from error


_READER = ArrayReader(_opened)
check, read_arrays, records = _READER.check, _READER.read_arrays, _READER.records
array_headers, digest = _READER.array_headers, _READER.digest
contents, count = _READER.contents, _READER.count
