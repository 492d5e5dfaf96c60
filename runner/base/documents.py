"""Files of text and of plain data: read within bounds, written at once or not at all."""

from __future__ import annotations

import errno
import json
import os
import secrets
import stat
from pathlib import Path
from typing import BinaryIO

JSON_LIMIT = 256 << 20
"""Bytes that a JSON file may have: a tokenizer's have tens of millions."""

_READ = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
_NOFOLLOW = getattr(os, "O_NOFOLLOW", 0)


def open_regular(path: Path, *, follow: bool = True) -> BinaryIO:
    """Open a regular file for reading; devices, pipes and sockets are never read, nor waited for.

    Raises:
        OSError: it can't be opened, or is of another kind, or without `follow` a link; `strerror` is fit for a message.
    """
    handle = os.open(path, _READ | (0 if follow else _NOFOLLOW))
    mode = os.fstat(handle).st_mode
    if not stat.S_ISREG(mode):
        os.close(handle)
        number = errno.EISDIR if stat.S_ISDIR(mode) else errno.EINVAL
        raise OSError(number, "is a folder" if stat.S_ISDIR(mode) else "is not a regular file", str(path))
    return os.fdopen(handle, "rb")


def read_limited(path: Path, limit: int, *, follow: bool = True) -> bytes:
    """The content of a regular file of at most `limit` bytes.

    Raises:
        OSError: as `open_regular`, or EFBIG for a larger file; no more than the limit is read.
    """
    with open_regular(path, follow=follow) as stream:
        content = stream.read(limit + 1)
    if len(content) > limit:
        raise OSError(errno.EFBIG, f"is larger than the {limit} bytes that such a file may have", str(path))
    return content


def read_json(path: Path, limit: int = JSON_LIMIT, *, follow: bool = True) -> object:
    """The data in a JSON file, or None when there is no such file, it does not parse, or is no regular file.

    Raises:
        PermissionError: it may not be read.
    """
    try:
        return json.loads(read_limited(path, limit, follow=follow))
    except PermissionError:
        raise
    except (OSError, ValueError, RecursionError):
        return None


def read_object(path: Path, limit: int = JSON_LIMIT, *, follow: bool = True) -> dict[str, object]:
    """The object in a JSON file; an empty one where `read_json` finds nothing, or something else."""
    content = read_json(path, limit, follow=follow)
    return content if isinstance(content, dict) else {}


def recall(path: Path) -> dict[str, object]:
    """The object in a file that is only a memory: an empty one where it can't be had, for whatever reason."""
    try:
        return read_object(path, follow=False)
    except PermissionError:
        return {}


def write_text(path: Path, text: str) -> None:
    """Write a file so that a reader sees the old content or the new, never a part. Its mode follows the umask.

    Raises:
        OSError: it can't be written, or what is there is a device, a pipe or the like.
    """
    if path.exists() and not path.is_file() and not path.is_dir():
        raise OSError(errno.EEXIST, "is there, and is no regular file", str(path))
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f".{path.name[:200]}.{secrets.token_hex(8)}")
    try:
        with new.open("x", encoding="utf-8") as stream:
            stream.write(text)
        new.replace(path)
    except BaseException:
        new.unlink(missing_ok=True)
        raise


def write_json(path: Path, document: object) -> None:
    """Write plain data as a JSON file, at once."""
    write_text(path, json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n")
