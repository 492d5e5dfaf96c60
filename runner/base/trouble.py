"""A file or folder of ovrun that can't be read or written: which, why, and what would help."""

from __future__ import annotations

import errno
import math
import os
import shutil
import stat
from pathlib import Path

from runner.errors import StageError

_FULL = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC))
_NEXT_TO_NOTHING = 1 << 20
"""Bytes; with no more than that left, a library's failure is a full disk's."""
_HARDLY_ANY = 16
"""Files; a library that could not make one of several has removed the others by now."""
_NO_MEMORY = ("failed to map segment", "cannot allocate memory", "can't allocate memory", "bad_alloc")
_DENIED = (errno.EROFS, errno.EACCES, errno.EPERM)
_SHARE = (
    "Choose another place with --outputs DIR. To share one among users, give it to a group: "
    "`chgrp -R GROUP DIR; chmod -R g+rwXs DIR`, and run with `umask 002`."
)


def cannot_write(folder: Path, error: OSError) -> StageError:
    """A worded error for a folder that can't be written or a disk that is full; the error's own path is more exact."""
    path = _place(folder, error)
    if error.errno in _FULL:
        full = folder if path.is_relative_to(folder) else path
        message = f"the disk is full: {full}{_remark(full)}"
        return StageError(message, hint="Free some space, or choose another place with --outputs DIR, and run again.")
    if error.errno == errno.EFBIG:
        message = f"a file is larger than files may be{_limit()}: {path}"
        return StageError(message, hint="Allow larger files (`ulimit -f unlimited`), and run again.")
    if error.errno in _DENIED:
        message = f"{path} can't be written: {error.strerror}{_owner(path)}"
        return StageError(message, hint="Choose another place with --outputs DIR." if _is_ours(path) else _SHARE)
    message = f"{path} can't be written: {error.strerror or error}"
    return StageError(message)


def refused(folder: Path, error: BaseException) -> int:
    """The errno for which a library could not write to a folder, which some don't tell; 0 where that was not it.

    OpenVINO says no more than `iostream error` when it can't write, and takes back what it wrote.
    """
    if isinstance(error, MemoryError):
        return 0
    free = _free(folder)
    if free <= _NEXT_TO_NOTHING or _lacks_inodes(folder):
        return errno.ENOSPC
    if "iostream error" not in str(error):
        return 0
    return errno.EFBIG if _soft_limit("RLIMIT_FSIZE") < free else errno.ENOSPC


def tells_of_memory(message: str) -> bool:
    """Whether a library's message says that it got no memory, in whatever words."""
    return any(words in message.lower() for words in _NO_MEMORY)


def memory_is_limited() -> bool:
    """Whether this process may have less memory than the machine."""
    return _soft_limit("RLIMIT_AS") < math.inf


def _free(folder: Path) -> float:
    place = _nearest(folder)
    try:
        return shutil.disk_usage(place[0]).free if place else math.inf
    except OSError:
        return math.inf


def cannot_read(path: Path, error: OSError) -> StageError:
    """A worded error for a file or folder of ovrun that can't be read."""
    path = _place(path, error)
    message = f"{path} can't be read: {error.strerror or error}{_owner(path)}"
    return StageError(message, hint=_SHARE if error.errno in _DENIED else None)


def _place(folder: Path, error: OSError) -> Path:
    return Path(os.fsdecode(error.filename)) if isinstance(error.filename, str | bytes) else folder


def _limit() -> str:
    largest = _soft_limit("RLIMIT_FSIZE")
    return "" if largest == math.inf else f", {largest / 1e6:.2f} MB by `ulimit -f`"


def _soft_limit(name: str) -> float:
    try:
        import resource
    except ImportError:
        return math.inf
    limit, _ = resource.getrlimit(getattr(resource, name))
    return math.inf if limit == resource.RLIM_INFINITY else limit


def _remark(folder: Path) -> str:
    if _free(folder) <= _NEXT_TO_NOTHING or not _lacks_inodes(folder):
        return ""
    return " (there is space, but no room for more files: its inodes are used up)"


def _lacks_inodes(folder: Path) -> bool:
    place = _nearest(folder)
    try:
        found = os.statvfs(place[0]) if place else None
    except (OSError, AttributeError):
        return False
    return found is not None and found.f_favail <= _HARDLY_ANY and found.f_files > 0  # some file systems count none


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
