"""A file or folder of ovrun that can't be read or written: which, why, and what would help."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

from runner.errors import StageError

_FULL = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC))
_DENIED = (errno.EROFS, errno.EACCES, errno.EPERM)
_SHARE = (
    "Choose another place with --outputs DIR. To share one among users, give it to a group: "
    "`chgrp -R GROUP DIR; chmod -R g+rwXs DIR`, and run with `umask 002`."
)


def cannot_write(folder: Path, error: OSError) -> StageError:
    """A worded error for a folder that can't be written or a disk that is full; the error's own path is more exact."""
    path = _place(folder, error)
    if error.errno in _FULL:
        message = f"the disk is full: {folder}{_no_inodes(folder)}"
        return StageError(message, hint="Free some space, or choose another place with --outputs DIR, and run again.")
    if error.errno in _DENIED:
        message = f"{path} can't be written: {error.strerror}{_owner(path)}"
        return StageError(message, hint="Choose another place with --outputs DIR." if _is_ours(path) else _SHARE)
    message = f"{path}: {error.strerror or error}"
    return StageError(message)


def cannot_read(path: Path, error: OSError) -> StageError:
    """A worded error for a file or folder of ovrun that can't be read."""
    path = _place(path, error)
    message = f"{path} can't be read: {error.strerror or error}{_owner(path)}"
    return StageError(message, hint=_SHARE if error.errno in _DENIED else None)


def _place(folder: Path, error: OSError) -> Path:
    return Path(os.fsdecode(error.filename)) if isinstance(error.filename, str | bytes) else folder


def _no_inodes(folder: Path) -> str:
    try:
        found = os.statvfs(folder)
    except (OSError, AttributeError):
        return ""
    return " (there is space, but no room for more files: its inodes are used up)" if not found.f_favail else ""


def _nearest(path: Path) -> tuple[Path, os.stat_result] | None:
    """The path, or the nearest folder above it that may be looked at."""
    for one in (path, *path.parents):
        try:
            return one, one.stat()
        except OSError:
            continue
    return None


def _is_ours(path: Path) -> bool:
    found = _nearest(path)
    return found is None or not hasattr(os, "geteuid") or found[1].st_uid == os.geteuid()


def _owner(path: Path) -> str:
    """Whose the path, or the folder that it would lie in, is; nothing if it is the user's own."""
    found = _nearest(path)
    if found is None or _is_ours(path):
        return ""
    return f" ({found[0]} belongs to {_name(found[1].st_uid)}, mode {stat.S_IMODE(found[1].st_mode):o})"


def _name(uid: int) -> str:
    try:
        import pwd

        return pwd.getpwuid(uid).pw_name
    except (ImportError, KeyError):
        return f"user {uid}"
