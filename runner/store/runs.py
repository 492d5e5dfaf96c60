"""Runs that are under way: what each needs stands in `runs/`, beside a lock that it holds until it ends.

`ovrun gc` looks there under the lock `gate`, which a run holds too while it writes its note: so it is clear which of
the two came first. What was removed before a run wrote its note is missing when that run looks for what it has to make.
"""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Iterable, Iterator
from pathlib import Path

from filelock import FileLock

import runner.base.files as fs
from runner.errors import StageError
from runner.store.store import Store

GATE = "gate"


@contextlib.contextmanager
def under_way(store: Store, keys: Iterable[str]) -> Iterator[None]:
    """Tell that a run needs entries, for as long as it is in here. A store that can't be written goes without."""
    note = _note(store, sorted(set(keys)))
    try:
        yield
    finally:
        if note is not None:
            lock, path = note
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)
                Path(lock.lock_file).unlink(missing_ok=True)
            lock.release()


def _note(store: Store, keys: list[str]) -> tuple[FileLock, Path] | None:
    name = secrets.token_hex(8)
    lock = None
    try:
        room = store.room("runs", make=True)
        with store.locked(GATE):
            lock = FileLock(room / f"{name}.lock")
            lock.acquire(timeout=0)
            fs.write_json(room / f"{name}.json", keys)
    except (OSError, StageError):
        if lock is not None:
            lock.release()
        return None
    return lock, room / f"{name}.json"


def needed_now(store: Store) -> set[str]:
    """What runs that are under way need; with the gate's lock held that is all. Notes of runs that died are removed."""
    needed: set[str] = set()
    room = store.room("runs")
    for path in room.glob("*.json"):
        keys = fs.read_json(path, follow=False)
        if is_held(path.with_suffix(".lock")):
            needed.update(key for key in keys if isinstance(key, str)) if isinstance(keys, list) else None
        else:
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)
                path.with_suffix(".lock").unlink(missing_ok=True)
    return needed


def is_held(path: Path) -> bool:
    """Whether somebody holds a lock file, or it can't be told; one that is not there is not held."""
    if fs.kind_of(path) is None:
        return False
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except OSError:
        return True
    lock.release()
    return False
