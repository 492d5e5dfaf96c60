"""A reference's folder: result.json, and NumPy arrays beside it that are mapped and not loaded."""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

_RESULT = "result.json"


def save(folder: Path, result: Mapping[str, Any]) -> None:
    """Write plain data."""
    text = json.dumps(result, indent=1, ensure_ascii=False)
    (folder / _RESULT).write_text(text + "\n", encoding="utf-8")


def load(folder: Path) -> dict[str, Any]:
    """Read plain data."""
    result: dict[str, Any] = json.loads((folder / _RESULT).read_text(encoding="utf-8"))
    return result


def create(path: Path, shape: tuple[int, ...], dtype: Any) -> np.memmap[Any, Any]:
    """A new .npy file to fill, mapped.

    Raises:
        OSError: the disk hasn't the room (ENOSPC). Found before anything is written: writing to a map of a full disk
            ends the process without a word.
    """
    needed = int(np.prod(shape)) * np.dtype(dtype).itemsize
    if shutil.disk_usage(path.parent).free < needed:
        text = f"{os.strerror(errno.ENOSPC)}: the reference's outputs need {needed / 1e6:.0f} MB"
        raise OSError(errno.ENOSPC, text, str(path))
    return np.lib.format.open_memmap(path, "w+", dtype, shape)


def mapped(path: Path) -> np.ndarray[Any, Any]:
    """A stored array, mapped for reading."""
    array: np.ndarray[Any, Any] = np.load(path, mmap_mode="r", allow_pickle=False)
    return array
