"""The files of an entry: what a stage may leave, and whether they are what was published."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import runner.base.files as fs
from runner.base.trouble import cannot_read
from runner.errors import StageError
from runner.store.record import Entry, misfits


def finished(files: Path, label: str) -> fs.Tree:
    """What a stage made: files in folders, with names that can be written down; empty folders are removed.

    Raises:
        StageError: there is something else.
    """
    tree = fs.scan(files)
    for name, kind in tree.others.items():
        message = f"{label} made {kind}, {name!r}, where only files can be kept"
        raise StageError(message)
    for name in (*tree.files, *tree.folders):
        try:
            name.encode()
        except UnicodeEncodeError:
            message = f"{label} made a file whose name is not UTF-8: {os.fsencode(name)!r}"
            raise StageError(message) from None
    kept = {parent for name in tree.files for parent in _parents(name)}
    for name in sorted(tree.folders - kept, reverse=True):
        (files / name).rmdir()
    tree.folders &= kept
    return tree


def _parents(name: str) -> Iterator[str]:
    while name := name.rpartition("/")[0]:
        yield name


def is_whole(entry: Entry) -> bool:
    """Whether an entry's files are those of its record, and nothing lies beside them.

    A file whose stamps are those of its last reading is not read again.

    Raises:
        StageError: it may not be read.
    """
    listing, folder = entry.record["files"], entry.files.parent
    known = fs.recall(folder / "stat.json")
    try:
        tree = fs.scan(entry.files)
        if any(misfits(tree, listing)):
            return False
        seen = {name: fs.stamps(info) for name, info in tree.files.items()}
        suspect = [name for name, stat in seen.items() if list(stat) != known.get(name)]
        if any(fs.sha256_file(entry.files / name) != listing[name]["sha256"] for name in suspect):
            return False
    except PermissionError as error:
        raise cannot_read(entry.files, error) from error
    except OSError:
        return False
    if suspect:
        remember(folder, seen)
    return True


def findings(entry: Entry) -> list[str]:
    """What is wrong with an entry's files; every byte is read.

    Raises:
        StageError: they may not be read.
    """
    listing = entry.record["files"]
    try:
        tree = fs.scan(entry.files)
        found = list(misfits(tree, listing))
        for name in sorted(listing.keys() & tree.files.keys()):
            if fs.sha256_file(entry.files / name) != listing[name]["sha256"]:
                found.append(f"{name} was changed: its SHA-256 does not fit")
    except PermissionError as error:
        raise cannot_read(entry.files, error) from error
    except OSError as error:
        return [f"files: {error.strerror or error}"]
    return found


def remember(folder: Path, seen: Mapping[str, fs.Stat]) -> None:
    """Write stat.json: what tells the next use that a file need not be read again."""
    now = time.time_ns()
    kept = {name: stat for name, stat in seen.items() if _settled(stat, now)}
    with contextlib.suppress(OSError):  # only a memory: without it the files are read again
        fs.write_json(folder / "stat.json", kept)


def _settled(stat: fs.Stat, now: int) -> bool:
    """As `files.settled`; but a fine change time that our own chmod and links made young says nothing."""
    fine = stat[2] % 1_000_000_000 != 0
    return fs.settled((stat[0], stat[1], stat[1] if fine else stat[2], stat[3]), now)
