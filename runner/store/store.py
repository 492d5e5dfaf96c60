"""The store itself: find, make and publish entries, lock their keys, remember what runs did."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from filelock import FileLock, Timeout

import runner.base.files as fs
from runner.base.trouble import cannot_read, cannot_write
from runner.base.values import mapping
from runner.errors import StageError
from runner.store import recent
from runner.store.files import findings, finished, is_whole, remember
from runner.store.record import Entry, fault_of, misfits, sealed

MADE = re.compile(r"([0-9a-f]{64})\.[0-9a-f]{8}")
"""The names of folders below tmp/, which begin with the key."""

_DAY = 24 * 60 * 60


class Store:
    """Entries below one folder, shared by all runs (and machines) that see it."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def room(self, *names: str, make: bool = False) -> Path:
        """A folder below the root, made or only named; every step to it is ours.

        Raises:
            StageError: a step is a link or no folder, or it can't be made or looked at.
        """
        try:
            return fs.own_folder(self.root.parent, self.root.name, *names, make=make)
        except OSError as error:
            path = self.root.joinpath(*names)
            raise (cannot_write if make else cannot_read)(path, error) from error

    def folder(self, key: str) -> Path:
        """Where the entry of `key` is or would be."""
        return self.root / "entries" / key[:2] / key

    def has(self, key: str) -> bool:
        """Whether there is an entry, without looking at its bytes."""
        return fs.kind_of(self._entry(key) / "entry.json") == "a file"

    def find(self, key: str) -> Entry | None:
        """The entry of `key` if it is there and whole; a damaged one is dropped.

        Raises:
            StageError: it can't be read, or is damaged and can't be dropped.
        """
        entry, _ = self.read(key)
        if entry is None:
            return None
        if is_whole(entry):
            self._note_use(entry)
            return entry
        self.drop(key)
        return None

    def damaged(self, key: str) -> bool:
        """Whether there is an entry whose bytes are not what was published. Changes no entry."""
        entry, fault = self.read(key)
        return fault is not None or (entry is not None and not is_whole(entry))

    def read(self, key: str) -> tuple[Entry | None, str | None]:
        """The entry of `key`, its files unseen, or what is wrong with its record; neither where there is none.

        Raises:
            StageError: it can't be read, or something else lies there.
        """
        folder = self._entry(key)
        try:
            record = fs.read_json(folder / "entry.json", follow=False)
            if record is None and fs.kind_of(folder) is None:
                return None, None
        except OSError as error:
            raise cannot_read(folder, error) from error
        fault = fault_of(record, key)
        return (None, f"entry.json {fault}") if fault else (Entry(key, folder / "files", mapping(record)), None)

    def verify_all(self) -> Iterator[tuple[str, list[str]]]:
        """Every entry with what is wrong with it; every byte of every file is read, whatever is remembered.

        Raises:
            StageError: the store can't be read.
        """
        for key in self.keys():
            entry, fault = self.read(key)
            yield key, findings(entry) if entry else [fault] if fault else []

    def keys(self) -> Iterator[str]:
        """The keys of all entries, damaged ones too.

        Raises:
            StageError: the store can't be read.
        """
        root = self.room("entries")
        try:
            found = sorted(path for path in root.glob("*/*")) if root.exists() else []
        except OSError as error:
            raise cannot_read(root, error) from error
        yield from (path.name for path in found if path.parent.name == path.name[:2])

    @contextlib.contextmanager
    def locked(self, key: str, waiting: Callable[[], None] = lambda: None) -> Iterator[None]:
        """Hold the lock of a key; `waiting` is called if somebody else has it at first.

        Raises:
            StageError: the lock can't be made or written.
        """
        path = self.lock_path(key)
        lock = FileLock(path)
        try:
            try:
                lock.acquire(timeout=0)
            except Timeout:
                waiting()
                lock.acquire(poll_interval=0.2)
        except OSError as error:
            raise cannot_write(path, error) from error
        try:
            yield
        finally:
            lock.release()

    def lock_path(self, key: str) -> Path:
        """The lock file of a key.

        Raises:
            StageError: something else lies there, or its folder can't be made.
        """
        path = self.room("locks", make=True) / f"{key}.lock"
        try:
            return fs.own_file(path)
        except OSError as error:
            raise cannot_read(path, error) from error

    def is_free(self, key: str) -> bool:
        """Whether nobody holds the lock of a key."""
        lock = FileLock(self.lock_path(key))
        try:
            lock.acquire(timeout=0)
        except OSError:  # held (a Timeout is one), or not ours to hold
            return False
        lock.release()
        return True

    def begin(self, key: str) -> Path:
        """A new empty folder to make the files of `key` in. Call with the lock held.

        Raises:
            OSError, StageError: it can't be made.
        """
        tmp = self.room("tmp", make=True)
        for stale in tmp.glob(f"{key}.*"):
            fs.discard_tree(stale)
        folder = tmp / f"{key}.{secrets.token_hex(4)}"
        try:
            (folder / "files").mkdir(parents=True)
        except OSError:
            fs.discard_tree(folder)
            raise
        return folder

    def publish(self, key: str, folder: Path, record: Mapping[str, object]) -> Entry:
        """Turn a folder from `begin` into the entry of `key`, in one rename.

        Raises:
            StageError: the stage left something that is neither a file nor a folder, or has no usable name.
            OSError: it can't be written.
        """
        files = folder / "files"
        tree = finished(files, str(record.get("label", key)))
        fs.make_read_only(files, tree)
        seen = {name: fs.stat_of(files / name) for name in sorted(tree.files)}
        listing = {name: {"sha256": fs.sha256_file(files / name), "size": stat[0]} for name, stat in seen.items()}
        try:
            document = sealed(record, key, listing)
        except ValueError as error:
            message = f"{record.get('label', key)} gave a result that is not plain data: {error}"
            raise StageError(message) from error
        fs.write_json(folder / "entry.json", document)
        remember(folder, seen)
        target = self.room("entries", key[:2], make=True) / key
        self.drop(key)  # whatever lies there could not be read as an entry
        folder.rename(target)
        return Entry(key, target / "files", document)

    def drop(self, key: str) -> None:
        """Remove an entry: rename first, so that nobody sees half of it.

        Raises:
            StageError: it is not ours to remove.
        """
        away = self.set_aside(key)
        if away is not None:
            fs.discard_tree(away)

    def set_aside(self, key: str) -> Path | None:
        """Take an entry out of sight, to be deleted: where it is now, or None if there was none.

        Raises:
            StageError: it is not ours to remove.
        """
        folder = self._entry(key)
        away = self.room("tmp", make=True) / f"{key}.{secrets.token_hex(4)}"
        try:
            folder.rename(away)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise cannot_write(folder, error) from error
        return away

    def refresh(self, entry: Entry) -> None:
        """Take note of new link counts after hard-linking an entry's files elsewhere: the content was just verified."""
        with contextlib.suppress(OSError):
            tree = fs.scan(entry.files)
            if not any(misfits(tree, entry.record["files"])):
                remember(entry.files.parent, {name: fs.stamps(info) for name, info in tree.files.items()})

    def recent(self, recipe: str) -> dict[str, object]:
        """Label -> key document of each stage in the last run of a recipe."""
        return recent.last_of(fs.recall(self.room("recent") / f"{recipe}.json"))

    def remember_recent(self, recipe: str, documents: Mapping[str, object], source: Path | None = None) -> None:
        """Keep the key documents of a run for the next `ovrun plan` to compare with; `source` is the recipe's file."""
        recent.remember(self.room("recent") / f"{recipe}.json", documents, source)

    def digest_memory(self, name: str) -> Path:
        """Where the digests of one source's files are remembered."""
        return self.room("digests") / f"{fs.sha256_json(name)[:24]}.json"

    def tidy(self) -> None:
        """Remove what died runs left. Once a run: it tries the lock of every stage that runs anywhere."""
        with contextlib.suppress(FileNotFoundError):
            for stale in self.room("tmp").iterdir():
                made = MADE.fullmatch(stale.name)
                if made and self.is_free(made[1]):
                    fs.discard_tree(stale)

    def check_writable(self) -> None:
        """Fail before the work if nothing could be stored after it.

        Raises:
            StageError: the folder can't be made or written, or is not ours.
        """
        probe = self.room("tmp", make=True) / f"probe.{secrets.token_hex(8)}"
        try:
            probe.write_text("x")
        except OSError as error:
            raise cannot_write(self.root.parent, error) from error
        finally:
            with contextlib.suppress(OSError):
                probe.unlink()
        for name in ("entries", "locks", "recent", "digests", "runs"):
            self.room(name)
        self.tidy()

    def _entry(self, key: str) -> Path:
        return self.room("entries", key[:2], key)

    def _note_use(self, entry: Entry) -> None:
        """Let the time of the entry's folder tell the day of its last use."""
        with contextlib.suppress(OSError):
            folder = entry.files.parent
            if folder.stat().st_mtime < time.time() - _DAY:
                os.utime(folder)
