"""Digests, and when a remembered one may be used without reading the file again."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import time
from collections.abc import Mapping
from pathlib import Path

from runner.base.documents import recall, write_json

_SECOND = 1_000_000_000
_FINE_GRAIN = _SECOND // 20
_COARSE_GRAIN = 5 * _SECOND // 2
"""Nanoseconds within which a file may change again and keep its stamps. Linux's own clock ticks every 1 to 10 ms; FAT
counts in two seconds, HFS+, ext3 and some network file systems in whole ones."""

Stat = tuple[int, int, int, int]


def sha256_file(path: Path) -> str:
    """The SHA-256 of a file's content, as 64 hex digits."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def sha256_json(document: object) -> str:
    """The SHA-256 of plain data, independent of the order of its keys."""
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def stat_of(path: Path) -> Stat:
    """What tells without reading that a file is the one seen before: size, modification, change, inode."""
    return stamps(path.stat())


def stamps(info: os.stat_result) -> Stat:
    """The same of a status that was asked for already."""
    return info.st_size, info.st_mtime_ns, info.st_ctime_ns, info.st_ino


def settled(stat: Stat, now: int) -> bool:
    """Whether any later change of a file has to show in its stamps; `now` is the time when they were read.

    A stamp of whole seconds is taken for one of a file system that knows no finer ones.
    """
    coarse = stat[1] % _SECOND == 0 or stat[2] % _SECOND == 0
    return max(stat[1], stat[2]) < now - (_COARSE_GRAIN if coarse else _FINE_GRAIN)


def digest_paths(paths: Mapping[str, Path], memory: Path | None) -> str:
    """One SHA-256 over named files, remembering in the file `memory`, if any, those that have not changed since.

    A remembered digest is used only while size, modification time, change time and inode are all as they were; one of a
    file that could change without that is not remembered.
    """
    old = recall(memory) if memory else {}
    rows = old.get("files")
    known: dict[str, object] = rows if isinstance(rows, dict) else {}
    found: dict[str, str] = {}
    fresh: dict[str, object] = {}
    for name, path in paths.items():
        now, stat = time.time_ns(), stat_of(path)
        remembered = _digest_in(known.get(name), stat)
        found[name] = remembered or sha256_file(path)
        if remembered or settled(stat, now):
            fresh[name] = [*stat, found[name]]
    document = {"source": _place(paths), "files": fresh}
    if memory and document != old:
        with contextlib.suppress(OSError, ValueError):  # only a memory: without it the files are read again
            write_json(memory, document)
    return sha256_json(found)


def _digest_in(row: object, stat: Stat) -> str | None:
    """The digest in a row of the memory, if it was made of the same file."""
    if isinstance(row, list) and len(row) == 5 and row[:4] == list(stat):
        digest = row[4]
        return digest if isinstance(digest, str) and len(digest) == 64 else None
    return None


def _place(paths: Mapping[str, Path]) -> str | None:
    """The path of one of the files: a memory of what is gone is of no use."""
    return next((str(path.absolute()) for path in paths.values()), None)
