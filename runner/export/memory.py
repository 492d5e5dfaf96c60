"""Memory that a process doesn't need any more, and would keep: what it freed, and what it can read again."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import mmap
import re
from collections.abc import Iterator
from pathlib import Path

_MAPPING = re.compile(
    r"^([0-9a-f]+)-([0-9a-f]+) r\S+ \S+ \S+ \d+ +\S.*\.safetensors\n(?:\w+: .*\n)*?Anonymous: +0 kB", re.M
)
"""Of /proc/self/smaps: weights that are mapped from their file, and of which no page was written to."""


def give_back() -> None:
    """Let the system have the memory of all that nothing refers to."""
    gc.collect()
    trim()


def trim() -> None:
    """Let the system have the memory of what was freed."""
    with contextlib.suppress(OSError, AttributeError):  # there is such a function in glibc alone
        ctypes.CDLL(None).malloc_trim(0)


def forget_weights() -> None:
    """Drop the pages of mapped weights, which come again from the file as soon as they are read."""
    with contextlib.suppress(OSError, AttributeError):  # Linux alone tells of them
        advise = ctypes.CDLL(None).madvise
        for start, size in _mapped():
            advise(ctypes.c_void_p(start), ctypes.c_size_t(size), mmap.MADV_DONTNEED)


def _mapped() -> Iterator[tuple[int, int]]:
    """Place and size of each mapping of weights that are as in their file."""
    for found in _MAPPING.finditer(Path("/proc/self/smaps").read_text()):
        start, end = (int(one, 16) for one in found.groups())
        yield start, end - start
