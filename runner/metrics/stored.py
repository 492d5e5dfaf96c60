"""A reference's folder: result.json, and .npy files of rows beside it that are read block by block."""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any, Self

import numpy as np
from numpy.lib import format as npy

from runner.base.values import Array

_RESULT = "result.json"


def save(folder: Path, result: Mapping[str, object]) -> None:
    """Write plain data."""
    text = json.dumps(result, indent=1, ensure_ascii=False)
    (folder / _RESULT).write_text(text + "\n", encoding="utf-8")


def load(folder: Path) -> dict[str, Any]:
    """Read plain data."""
    result: dict[str, object] = json.loads((folder / _RESULT).read_text(encoding="utf-8"))
    return result


class Rows:
    """The rows of a .npy file, shape [rows, size], read when they are asked for.

    A mapped file's pages count as the memory of who touched them, all of them in the end; here only one block is held.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.shape: tuple[int, ...] = ()
        self.dtype = np.dtype(np.float32)
        self._buffer = bytearray()

    def __enter__(self) -> Self:
        self._file = self.path.open("rb", buffering=0)
        npy.read_magic(self._file)
        self.shape, _, self.dtype = npy.read_array_header_1_0(self._file)
        self._start = self._file.tell()
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def __getitem__(self, rows: slice) -> Array:
        """Rows `start` … `stop - 1`, fewer at the end; the next rows overwrite them.

        Raises:
            OSError: the file can't be read, or is shorter than its header says.
        """
        start, stop, _ = rows.indices(self.shape[0])
        row = int(np.prod(self.shape[1:])) * self.dtype.itemsize
        wanted = max(0, stop - start) * row
        if len(self._buffer) < wanted:
            self._buffer = bytearray(wanted)
        self._file.seek(self._start + start * row)
        self._fill(memoryview(self._buffer)[:wanted])
        found: Array = np.frombuffer(self._buffer, self.dtype, wanted // self.dtype.itemsize)
        return found.reshape(-1, *self.shape[1:])

    def _fill(self, target: memoryview) -> None:
        while target:
            count = self._file.readinto(target)
            if not count:
                raise OSError(errno.EIO, f"{os.strerror(errno.EIO)}: the file is cut off", str(self.path))
            target = target[count:]


class RowFile:
    """A .npy file [rows, …] that grows by rows; they are written and not mapped, so a full disk is an OSError.

    Args:
        path: the new file.
        dtype: what rows are stored as.
        rows: how many there will be, where known: then the room for all is checked with the first.
    """

    def __init__(self, path: Path, dtype: Any, rows: int | None = None) -> None:
        self.path, self.dtype, self.expected = path, np.dtype(dtype), rows
        self.shape: tuple[int, ...] = (0, 0)
        self._file: IO[bytes] | None = None

    def __enter__(self) -> Self:
        self._file = self.path.open("wb")
        self._header()
        return self

    def __exit__(self, *_: object) -> None:
        assert self._file
        self._header()
        self._file.close()

    def append(self, rows: Array) -> None:
        """Write rows, shape [n, …].

        Raises:
            OSError: the disk is full (ENOSPC).
            ValueError: another size than the rows before.
        """
        assert self._file
        if not self.shape[0]:
            self._check_room(int(np.prod(rows.shape[1:])))
            self.shape = (0, *rows.shape[1:])
            self._header()
        elif rows.shape[1:] != self.shape[1:]:
            before, now = (" x ".join(map(str, shape[1:])) for shape in (self.shape, rows.shape))
            message = f"rows of {now} after rows of {before}"
            raise ValueError(message)
        self._file.write(np.ascontiguousarray(rows, dtype=self.dtype).data)
        self.shape = (self.shape[0] + rows.shape[0], *rows.shape[1:])

    def _check_room(self, size: int) -> None:
        needed = (self.expected or 1) * size * self.dtype.itemsize
        if shutil.disk_usage(self.path.parent).free < needed:
            text = f"{os.strerror(errno.ENOSPC)}: the reference's outputs need {needed / 1e6:.0f} MB"
            raise OSError(errno.ENOSPC, text, str(self.path))

    def _header(self) -> None:
        """NumPy leaves room in a header for the first axis to grow, so that it can be written over."""
        assert self._file
        fields = {"descr": npy.dtype_to_descr(self.dtype), "fortran_order": False, "shape": self.shape}
        start = self._file.seek(0) or self._file.tell()
        npy.write_array_header_1_0(self._file, fields)
        self._file.seek(start, os.SEEK_END)
