"""The same content under another name: shared by the file system where it can, else linked or copied.

A *reflink* (Btrfs, XFS, bcachefs …) shares blocks until one of the two is written: independent, and free of cost. A
hard link is one file with two names, so that an edit through one shows in the other.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

from runner.base import links
from runner.base.documents import open_regular

_FICLONE = 0x40049409
"""The request number of Linux for a reflink, from linux/fs.h."""


def walk(root: Path) -> Iterator[Path]:
    """Every file below `root`, sorted by its relative path."""
    found = (path for path in root.rglob("*") if path.is_file())
    yield from sorted(found, key=lambda path: path.relative_to(root).as_posix())


def link_tree(source: Path, target: Path, *, skip: Iterable[str] = (), independent: bool = False) -> None:
    """Make `target` hold the files of `source`, which are ours, by `link_file`, or `copy_file` if `independent`."""
    skipped = frozenset(skip)
    for path in walk(source):
        name = path.relative_to(source).as_posix()
        if name not in skipped:
            (copy_file if independent else link_file)(path, target / name)


def separate(folder: Path) -> None:
    """Give every file below a folder that has other names too a content of its own; each is replaced at once.

    Raises:
        OSError: it can't be written.
    """
    for path in walk(folder):
        info = path.lstat()
        if info.st_nlink > 1:
            new = path.with_name(f".{path.name[:200]}.{secrets.token_hex(8)}")
            try:
                copy_file(path, new)
                new.chmod(stat.S_IMODE(info.st_mode))
                new.replace(path)
            finally:
                new.unlink(missing_ok=True)


def link_file(source: Path, target: Path) -> None:
    """Give a file that is ours a second name: a reflink where the file system can, else a hard link, else a copy.

    Raises:
        OSError: `source` is a link or no regular file, `target` is there, or can't be written.
    """
    _require_regular(source)
    target.parent.mkdir(parents=True, exist_ok=True)
    if _reflink(source, target):
        return
    if not links.are_allowed():
        copy_file(source, target)
        return
    try:
        os.link(source, target, follow_symlinks=False)
    except FileExistsError:
        raise
    except OSError:
        copy_file(source, target)


def copy_file(source: Path, target: Path) -> None:
    """Copy the content of a file: whatever happens to one of the two does not happen to the other.

    The mode follows the umask. Where the file system can, the blocks are shared until one of the two is written.

    Raises:
        OSError: `source` is a link or no regular file, `target` is there, or can't be written.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    if _reflink(source, target):
        return
    with open_regular(source, follow=False) as reading, target.open("xb") as writing:
        try:
            shutil.copyfileobj(reading, writing, 1 << 20)
        except BaseException:
            target.unlink(missing_ok=True)
            raise


def _require_regular(path: Path) -> None:
    open_regular(path, follow=False).close()


def _reflink(source: Path, target: Path) -> bool:
    """Whether `target` could be made as a reflink of `source`; if not, there is none.

    Raises:
        OSError: as `copy_file`.
    """
    try:
        from fcntl import ioctl
    except ImportError:
        return False
    with open_regular(source, follow=False) as reading, target.open("xb") as writing:
        with contextlib.suppress(OSError):
            ioctl(writing.fileno(), _FICLONE, reading.fileno())
            return True
    target.unlink()
    return False
