"""Folders that ovrun made itself: nothing is made, changed or deleted through a link that it did not make."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import stat
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from runner.errors import StageError

_KINDS = {
    stat.S_IFLNK: "a symbolic link",
    stat.S_IFDIR: "a folder",
    stat.S_IFREG: "a file",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFBLK: "a device",
    stat.S_IFCHR: "a device",
}


@dataclass
class Tree:
    """What lies below a folder, by relative path: files with their status, folders, and all else with its kind."""

    files: dict[str, os.stat_result] = field(default_factory=dict)
    folders: set[str] = field(default_factory=set)
    others: dict[str, str] = field(default_factory=dict)


def kind_of(path: Path) -> str | None:
    """What a path is, in words, without following a link; None where nothing is.

    Raises:
        OSError: it can't be looked at.
    """
    try:
        return _kind(path.lstat().st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return None


def own_folder(base: Path, *names: str, make: bool = True) -> Path:
    """The folder `base/names…`, made if it is not there: below `base`, which may be a link, each step is a real folder.

    With `make=False` what is not there stays so, and only what is there is held against that.

    Raises:
        StageError: a step is a link or no folder.
        OSError: it can't be made or looked at.
    """
    path = base
    if make:
        base.mkdir(parents=True, exist_ok=True)
    for name in names:
        path = path / name
        kind = kind_of(path)
        if kind is None and make:
            path.mkdir(exist_ok=True)
            kind = kind_of(path)
        if kind not in (None, "a folder"):
            raise _foreign(path, str(kind), "a folder")
    return path


def own_file(path: Path) -> Path:
    """A path where a regular file is or may be made; its folder is one from `own_folder`.

    Raises:
        StageError: something else is there.
        OSError: it can't be looked at.
    """
    kind = kind_of(path)
    if kind not in (None, "a file"):
        raise _foreign(path, str(kind), "a file")
    return path


def _foreign(path: Path, kind: str, wanted: str) -> StageError:
    message = f"{path} is {kind}, where ovrun keeps {wanted} of its own; nothing was done with it"
    hint = "Remove it, or move it away. To keep everything on another disk, name a folder there with --outputs DIR."
    return StageError(message, hint=hint)


def _kind(mode: int) -> str:
    return _KINDS.get(stat.S_IFMT(mode), "of an unknown kind")


def scan(root: Path) -> Tree:
    """What lies below a folder; no link is followed.

    Raises:
        OSError: a folder can't be read, or `root` is a link or no folder.
    """
    if root.is_symlink():
        raise NotADirectoryError(errno.ENOTDIR, "is a symbolic link", str(root))
    tree = Tree()
    _scan(root, "", tree)
    return tree


def _scan(folder: Path, prefix: str, tree: Tree) -> None:
    with os.scandir(folder) as entries:
        for entry in entries:
            name = prefix + entry.name
            info = entry.stat(follow_symlinks=False)
            if stat.S_ISREG(info.st_mode):
                tree.files[name] = info
            elif stat.S_ISDIR(info.st_mode):
                tree.folders.add(name)
                _scan(Path(entry.path), f"{name}/", tree)
            else:
                tree.others[name] = _kind(info.st_mode)


def make_read_only(root: Path, tree: Tree) -> None:
    """Take the right to write from the files of a folder; who may read the folder may read them.

    So they follow the umask, whatever modes a library gave them. A file with more than one name is left alone: the
    others are ours and read-only already, or are somebody else's, such as a hub's cache.
    """
    mode = stat.S_IMODE(root.stat().st_mode)
    for name in tree.folders:
        (root / name).chmod(mode)
    for name, info in tree.files.items():
        if info.st_nlink == 1:
            (root / name).chmod(mode & 0o444)


def remove_tree(folder: Path) -> None:
    """Remove a folder, which may be gone already; links in it are removed, and never followed.

    Raises:
        OSError: something can't be removed, or `folder` is a link or no folder.
    """
    try:
        shutil.rmtree(folder)
    except FileNotFoundError:
        if kind_of(folder) is not None:  # another process removes it at the same time
            discard_tree(folder)


def discard_tree(folder: Path) -> None:
    """Remove as much of a leftover as can be; the next run tries again."""
    with contextlib.suppress(OSError):
        shutil.rmtree(folder)


def parents_of(names: Iterable[str]) -> set[str]:
    """The folders that files with these relative paths lie in."""
    found: set[str] = set()
    for name in names:
        while name := name.rpartition("/")[0]:
            found.add(name)
    return found
