"""Files on disk: digests, hard links, atomic writes. Nothing here knows of stages or recipes."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import shutil
import stat as stat_module
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

# A file whose time stamps are younger than this when it is hashed may change again within the clock's grain.
_SETTLED_NS = 50_000_000

JSON_LIMIT = 256 << 20
"""Bytes that a JSON file may have: a tokenizer's have tens of millions."""

Stat = tuple[int, int, int, int]


def sha256_file(path: Path) -> str:
    """The SHA-256 of a file's content, as 64 hex digits."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def sha256_json(document: Any) -> str:
    """The SHA-256 of plain data, independent of the order of its keys."""
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def stat_of(path: Path) -> Stat:
    """What tells without reading that a file is the one seen before: size, modification, change, inode."""
    info = path.stat()
    return info.st_size, info.st_mtime_ns, info.st_ctime_ns, info.st_ino


def walk(root: Path) -> Iterator[Path]:
    """Every file below `root`, sorted by its relative path."""
    found = (path for path in root.rglob("*") if path.is_file())
    yield from sorted(found, key=lambda path: path.relative_to(root).as_posix())


def digest_paths(paths: Mapping[str, Path], memory: Path) -> str:
    """One SHA-256 over named files, remembering in the file `memory` those that have not changed since.

    A remembered digest is used only while size, modification time, change time and inode are all as they were.
    """
    known: dict[str, Any] = read_json(memory) or {}
    fresh: dict[str, Any] = {}
    for name, path in paths.items():
        stat = stat_of(path)
        old = known.get(name)
        if old and tuple(old[:4]) == stat:
            fresh[name] = old
            continue
        now = time.time_ns()
        digest = sha256_file(path)
        settled = max(stat[1], stat[2]) < now - _SETTLED_NS
        fresh[name] = [*(stat if settled else (-1, -1, -1, -1)), digest]
    if fresh != known:
        with contextlib.suppress(OSError):  # only a memory: without it the files are read again
            write_json(memory, fresh)
    return sha256_json({name: row[4] for name, row in fresh.items()})


def link_tree(source: Path, target: Path, *, skip: Iterable[str] = ()) -> None:
    """Make `target` hold the files of `source`: as hard links, or as copies where links can't be made."""
    skipped = frozenset(skip)
    for path in walk(source):
        name = path.relative_to(source).as_posix()
        if name not in skipped:
            link_file(path, target / name)


def link_file(source: Path, target: Path) -> None:
    """Hard-link `source` (with symbolic links resolved) to `target`, or copy it across file systems."""
    target.parent.mkdir(parents=True, exist_ok=True)
    real = source.resolve()
    try:
        os.link(real, target)
    except OSError:
        shutil.copy2(real, target)


def open_regular(path: Path) -> BinaryIO:
    """Open a regular file for reading; devices, pipes and sockets are never read, nor waited for.

    Raises:
        OSError: it can't be opened, or is of another kind; `strerror` is fit for a message.
    """
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0))
    mode = os.fstat(handle).st_mode
    if not stat_module.S_ISREG(mode):
        os.close(handle)
        number = errno.EISDIR if stat_module.S_ISDIR(mode) else errno.EINVAL
        raise OSError(number, "is a folder" if stat_module.S_ISDIR(mode) else "is not a regular file", str(path))
    return os.fdopen(handle, "rb")


def read_limited(path: Path, limit: int) -> bytes:
    """The content of a regular file of at most `limit` bytes.

    Raises:
        OSError: as `open_regular`, or EFBIG for a larger file; no more than the limit is read.
    """
    with open_regular(path) as stream:
        content = stream.read(limit + 1)
    if len(content) > limit:
        raise OSError(errno.EFBIG, f"is larger than the {limit} bytes that such a file may have", str(path))
    return content


def read_json(path: Path, limit: int = JSON_LIMIT) -> Any:
    """The data in a JSON file, or None when there is no such file, it does not parse, or is no regular file."""
    try:
        return json.loads(read_limited(path, limit))
    except PermissionError:
        raise
    except (OSError, ValueError, RecursionError):
        return None


def read_object(path: Path, limit: int = JSON_LIMIT) -> dict[str, Any]:
    """The object in a JSON file; an empty one where `read_json` finds nothing, or something else."""
    content = read_json(path, limit)
    return content if isinstance(content, dict) else {}


def write_text(path: Path, text: str) -> None:
    """Write a file so that a reader sees the old content or the new, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(text)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def write_json(path: Path, document: Any) -> None:
    """Write plain data as a JSON file, at once."""
    write_text(path, json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def remove_tree(folder: Path) -> None:
    """Remove a folder that may be gone already or hold read-only files."""
    shutil.rmtree(folder, ignore_errors=True)
