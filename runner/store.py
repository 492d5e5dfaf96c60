"""The content-addressed store: `key -> folder`, published by rename, verified on every use.

Layout below its root:

    entries/<k1k2>/<key>/     files/ (what the stage made), entry.json (how, and the SHA-256 of every file), stat.json
    tmp/                      folders being made; a run that died leaves one, the next run of the same stage removes it
    locks/                    one lock file a key, held while its stage runs
    recent/<recipe>.json      the key documents of a recipe's last run, to say what changed since
    digests/                  remembered digests of source files

An entry is immutable. Its files are read-only and may be hard-linked into an artifact; so a use checks size,
times and inode of each file against stat.json, and reads the bytes again when they differ.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

import runner.files as fs
from runner.errors import StageError

# Goes up when the content of entry.json changes: entries of another format are made anew.
_FORMAT = 1


@dataclass(frozen=True)
class Entry:
    """A finished stage: its key, the folder of its files, and its record.

    `record` has: stage, label, document (what the key was made from), result, seconds, cpu_seconds,
    peak_memory (bytes), files ({path: {sha256, size}}), created (ISO 8601, UTC), hardware.
    """

    key: str
    files: Path
    record: Mapping[str, Any]

    @property
    def result(self) -> Mapping[str, Any]:
        """What the stage told of its work."""
        result: Mapping[str, Any] = self.record["result"]
        return result


class Store:
    """Entries below one folder, shared by all runs (and machines) that see it."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def folder(self, key: str) -> Path:
        """Where the entry of `key` is or would be."""
        return self.root / "entries" / key[:2] / key

    def has(self, key: str) -> bool:
        """Whether there is an entry, without looking at its bytes."""
        return (self.folder(key) / "entry.json").is_file()

    def find(self, key: str) -> Entry | None:
        """The entry of `key` if it is there and whole; a damaged one is dropped."""
        entry = self._read(key)
        if entry is None:
            return None
        if self._whole(entry):
            return entry
        self.drop(key)
        return None

    def damaged(self, key: str) -> bool:
        """Whether there is an entry whose bytes are not what was published. Changes nothing."""
        entry = self._read(key)
        return (entry is None and self.folder(key).exists()) or (entry is not None and not self._whole(entry))

    def lock_path(self, key: str) -> Path:
        """The lock file to hold while the stage of `key` runs."""
        path = self.root / "locks" / f"{key}.lock"
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def begin(self, key: str) -> Path:
        """A new empty folder to make the files of `key` in. Call with the lock held."""
        tmp = self.root / "tmp"
        tmp.mkdir(parents=True, exist_ok=True)
        for stale in tmp.glob(f"{key}.*"):
            fs.remove_tree(stale)
        folder = tmp / f"{key}.{secrets.token_hex(4)}"
        (folder / "files").mkdir(parents=True)
        return folder

    def publish(self, key: str, folder: Path, record: Mapping[str, Any]) -> Entry:
        """Turn a folder from `begin` into the entry of `key`, in one rename."""
        files = folder / "files"
        listing = {}
        for path in fs.walk(files):
            info = path.stat()
            if info.st_nlink == 1:  # a file that others have too, such as the hub's cache, is not ours to protect
                path.chmod(0o444)
            listing[path.relative_to(files).as_posix()] = {"sha256": fs.sha256_file(path), "size": info.st_size}
        fs.write_json(folder / "entry.json", {**record, "format": _FORMAT, "key": key, "files": listing})
        self._remember(folder, listing)
        target = self.folder(key)
        target.parent.mkdir(parents=True, exist_ok=True)
        self.drop(key)  # whatever lies there could not be read as an entry
        folder.rename(target)
        entry = self._read(key)
        if entry is None:
            message = f"the store entry {target} vanished right after it was made"
            raise StageError(message)
        return entry

    def drop(self, key: str) -> None:
        """Remove an entry: rename first, so that nobody sees half of it."""
        away = self.root / "tmp" / f"{key}.{secrets.token_hex(4)}"
        away.parent.mkdir(parents=True, exist_ok=True)
        try:
            self.folder(key).rename(away)
        except FileNotFoundError:
            return
        fs.remove_tree(away)

    def refresh(self, entry: Entry) -> None:
        """Take note of new link counts after hard-linking an entry's files elsewhere."""
        self._remember(self.folder(entry.key), entry.record["files"])

    def recent(self, recipe: str) -> dict[str, Any]:
        """Label -> key document of each stage in the last run of a recipe."""
        return fs.read_json(self.root / "recent" / f"{recipe}.json") or {}

    def remember_recent(self, recipe: str, documents: Mapping[str, Any]) -> None:
        """Keep the key documents of a run for the next `ovrun plan` to compare with."""
        path = self.root / "recent" / f"{recipe}.json"
        if fs.read_json(path) != documents:
            fs.write_json(path, documents)

    def digest_memory(self, name: str) -> Path:
        """Where the digests of one source's files are remembered."""
        return self.root / "digests" / f"{fs.sha256_json(name)[:24]}.json"

    def tidy(self) -> None:
        """Remove what died runs left. Once a run: it tries the lock of every stage that runs anywhere."""
        with contextlib.suppress(FileNotFoundError):
            for stale in (self.root / "tmp").iterdir():
                if self._is_free(stale.name.partition(".")[0]):
                    fs.remove_tree(stale)

    def check_writable(self) -> None:
        """Fail before the work if nothing could be stored after it.

        Raises:
            StageError: the folder can't be made or written.
        """
        probe = self.root / f"probe.{secrets.token_hex(8)}"
        try:
            probe.parent.mkdir(parents=True, exist_ok=True)
            probe.write_text("x")
            probe.unlink()
        except OSError as error:
            raise cannot_write(self.root.parent, error) from error
        self.tidy()

    def _is_free(self, key: str) -> bool:
        """Whether nobody holds the lock of a key."""
        lock = FileLock(self.lock_path(key))
        try:
            lock.acquire(timeout=0)
        except Timeout:
            return False
        lock.release()
        return True

    def _read(self, key: str) -> Entry | None:
        folder = self.folder(key)
        record = fs.read_json(folder / "entry.json")
        if not isinstance(record, dict) or record.get("key") != key or record.get("format") != _FORMAT:
            return None
        return Entry(key, folder / "files", record)

    def _whole(self, entry: Entry) -> bool:
        known = fs.read_json(self.folder(entry.key) / "stat.json") or {}
        listing = entry.record["files"]
        reread = False
        for name, expected in listing.items():
            path = entry.files / name
            try:
                stat = fs.stat_of(path)
            except OSError:
                return False
            if stat[0] != expected["size"]:
                return False
            if list(stat) != known.get(name):
                if fs.sha256_file(path) != expected["sha256"]:
                    return False
                reread = True
        if reread and os.access(self.folder(entry.key), os.W_OK):
            self._remember(self.folder(entry.key), listing)
        return True

    def _remember(self, folder: Path, listing: Mapping[str, Any]) -> None:
        fs.write_text(
            folder / "stat.json", json.dumps({name: fs.stat_of(folder / "files" / name) for name in listing}) + "\n"
        )


def cannot_write(folder: Path, error: OSError) -> StageError:
    """A worded error for a folder that can't be written or a disk that is full."""
    if error.errno == errno.ENOSPC:
        message = f"the disk is full: {folder}"
        return StageError(message, hint="Free some space, or choose another place with --outputs DIR, and run again.")
    if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
        message = f"{folder} can't be written: {error.strerror}"
        return StageError(message, hint="Choose another place with --outputs DIR.")
    message = f"{folder}: {error.strerror or error}"
    return StageError(message)
