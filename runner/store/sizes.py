"""What removing files frees: a file with several names goes with the last of them."""

from __future__ import annotations

import os
import stat
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import runner.base.files as fs

Inode = tuple[int, int]


def files_below(path: Path) -> list[os.stat_result]:
    """The status of a file, or of each file below a folder, as far as it can be looked at."""
    try:
        info = path.lstat()
        return list(fs.scan(path).files.values()) if stat.S_ISDIR(info.st_mode) else [info]
    except OSError:
        return []


def on_disk(info: os.stat_result) -> int:
    """Bytes that a file takes up."""
    return int(getattr(info, "st_blocks", -(-info.st_size // 512))) * 512


def total(files: Iterable[os.stat_result]) -> int:
    """Bytes that files take up together."""
    return sum({_inode(info): on_disk(info) for info in files}.values())


class Freed:
    """Counts the names of files that go, one folder after the other."""

    def __init__(self) -> None:
        self._gone: Counter[Inode] = Counter()

    def add(self, files: Iterable[os.stat_result]) -> int:
        """Bytes that are free once these files are gone too."""
        freed = 0
        for info in files:
            self._gone[_inode(info)] += 1
            if self._gone[_inode(info)] == info.st_nlink:
                freed += on_disk(info)
        return freed


def _inode(info: os.stat_result) -> Inode:
    return info.st_dev, info.st_ino
