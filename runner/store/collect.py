"""What of a store nothing needs any more, and its removal while other runs work.

An entry is renamed out of sight first, with its key's lock and the gate's held, and deleted then; who is killed in
between leaves a folder in tmp/, which the next run or collection takes.
"""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

import runner.base.files as fs
from runner.base.trouble import cannot_write
from runner.store.needs import Needs, gone_sources, needs_of
from runner.store.runs import GATE, is_held, needed_now
from runner.store.sizes import Freed, files_below, total
from runner.store.store import MADE, Store

_DAY = 24 * 60 * 60
_KEY = re.compile(r"[0-9a-f]{64}")
_HALF = re.compile(r"\..+\.[0-9a-f]{16}|probe\.[0-9a-f]{16}")
"""The names of files that were being written when a run died."""


@dataclass(frozen=True)
class Rules:
    """What may go.

    Attributes:
        keep_last: how many of each recipe's last runs stay.
        older_than: seconds without use after which what nothing needs goes; None for at once.
        max_size: bytes that the store may have; while it has more, what nothing needs goes, longest unused first.
    """

    keep_last: int = 1
    older_than: float | None = None
    max_size: int | None = None


@dataclass(frozen=True)
class Item:
    """Something that goes.

    Attributes:
        kind: `stage`, `unfinished`, `log`, `memory` or `lock`.
        label: what it is, for a person.
        recipe: whose it was, as far as that is remembered.
        used: when it was last used, in seconds of the epoch.
        size: bytes that are free once it is gone, together with those before it in the list.
        path: where it lies.
        key: of a stage.
    """

    kind: str
    label: str
    recipe: str
    used: float
    size: int
    why: str
    path: Path
    key: str = ""


@dataclass(frozen=True)
class Collection:
    """What goes, and what stays: how many entries of how many bytes."""

    items: Sequence[Item]
    stages: int
    size: int
    needs: Needs

    @property
    def freed(self) -> int:
        """Bytes that all of it frees."""
        return sum(item.size for item in self.items)


@dataclass
class _Stage:
    key: str
    label: str
    path: Path
    used: float
    files: list  # type: ignore[type-arg]


def collect(store: Store, outputs: Path, rules: Rules) -> Collection:
    """Find what may go; nothing is changed but the notes of runs that died.

    Raises:
        StageError: the store can't be read or written.
    """
    needs = needs_of(store, outputs, rules.keep_last)
    running = needed_now(store)
    stages = sorted(_stages(store), key=lambda stage: stage.used)
    size = total(info for stage in stages for info in stage.files)
    freed = Freed()
    chosen = list(_chosen(stages, needs, needs.keys | running, rules, freed, size))
    gone = {item.key for item in chosen}
    rest = [*_unfinished(store), *_memories(store, needs), *_logs(outputs, rules, bool(running)), *_locks(store, gone)]
    kept = len(stages) - len(chosen)
    return Collection([*chosen, *rest], kept, size - sum(item.size for item in chosen), needs)


def _stages(store: Store) -> Iterator[_Stage]:
    for key in store.keys():
        path = store.folder(key)
        entry, _ = store.read(key)
        label = str(entry.record["label"]) if entry else "a damaged entry"
        with contextlib.suppress(FileNotFoundError):
            yield _Stage(key, label, path, path.stat().st_mtime, files_below(path))


def _chosen(
    stages: Sequence[_Stage], needs: Needs, needed: set[str], rules: Rules, freed: Freed, size: int
) -> Iterator[Item]:
    """The entries that go, longest unused first."""
    now = time.time()
    for stage in stages:
        if stage.key in needed:
            continue
        if rules.older_than is not None and now - stage.used >= rules.older_than:
            why = "nothing needs it, and it was not used for that long"
        elif rules.max_size is not None and size > rules.max_size:
            why = "nothing needs it, and the store is too large"
        elif rules.older_than is None and rules.max_size is None:
            why = "nothing needs it"
        else:
            continue
        free = freed.add(stage.files)
        size -= free
        yield Item("stage", stage.label, needs.recipes.get(stage.key, ""), stage.used, free, why, stage.path, stage.key)


def _unfinished(store: Store) -> Iterator[Item]:
    """What runs that died were making."""
    room = store.room("tmp")
    for path in sorted(room.iterdir()) if room.is_dir() else []:
        made = MADE.fullmatch(path.name)
        if made and fs.kind_of(path) == "a folder" and not is_held(store.lock_path(made[1])):
            yield _item("unfinished", "a stage's folder", path, "a run died while it made it")
    for name in ("", "tmp", "recent", "digests", "runs", "numbers"):
        room = store.room(*([name] if name else []))
        for path in sorted(room.iterdir()) if room.is_dir() else []:
            if _HALF.fullmatch(path.name) and fs.kind_of(path) == "a file" and _age(path) > _DAY:
                yield _item("unfinished", path.name, path, "a run died while it wrote it")


def _memories(store: Store, needs: Needs) -> Iterator[Item]:
    for path in needs.gone:
        yield _item("memory", "the last runs of a recipe", path, "the recipe is gone", path.stem)
    for path in gone_sources(store):
        yield _item("memory", "digests of a source", path, "the source is gone")


def _logs(outputs: Path, rules: Rules, running: bool) -> Iterator[Item]:
    """Logs that are older than the limit; while anybody runs, not the last of a recipe."""
    if rules.older_than is None:
        return
    root = fs.own_folder(outputs, ".logs", make=False)
    for home in sorted(root.iterdir()) if root.is_dir() else []:
        if fs.kind_of(home) == "a folder":
            logs = sorted(home.iterdir(), key=lambda path: path.name)
            for path in logs[:-1] if running else logs:
                if _age(path) >= rules.older_than and fs.kind_of(path) in ("a file", "a folder"):
                    yield _item("log", path.name, path, "it is that old", home.name)


def _locks(store: Store, gone: set[str]) -> Iterator[Item]:
    room = store.room("locks")
    for path in sorted(room.glob("*.lock")) if room.is_dir() else []:
        key = path.stem
        if _KEY.fullmatch(key) and (key in gone or not store.has(key)) and not is_held(path):
            yield _item("lock", "a stage's lock", path, "its stage is gone", key=key)


def _item(kind: str, label: str, path: Path, why: str, recipe: str = "", key: str = "") -> Item:
    return Item(kind, label, recipe, _newest(path), Freed().add(files_below(path)), why, path, key)


def _newest(path: Path) -> float:
    try:
        return max([path.lstat().st_mtime, *(info.st_mtime for info in files_below(path))])
    except FileNotFoundError:  # whoever made it has just removed it
        return time.time()


def _age(path: Path) -> float:
    return time.time() - _newest(path)


def remove(store: Store, collection: Collection, removed: Callable[[Item], None]) -> None:
    """Remove what was found, unless somebody has come to need it since; each that is gone is told.

    Raises:
        StageError: something can't be removed.
    """
    ways = {"stage": _remove_stage, "lock": _remove_lock, "unfinished": _remove_unfinished}
    for item in collection.items:
        try:
            if ways.get(item.kind, _remove_plain)(store, item):
                removed(item)
        except OSError as error:
            raise cannot_write(item.path, error) from error


def _remove_stage(store: Store, item: Item) -> bool:
    lock = FileLock(store.lock_path(item.key))
    if not _hold(lock):
        return False
    try:
        with store.locked(GATE):
            away = None if item.key in needed_now(store) else store.set_aside(item.key)
        if away is not None:
            fs.discard_tree(away)
    finally:
        lock.release()
    return away is not None


def _remove_lock(store: Store, item: Item) -> bool:
    """Remove a lock file while it is held: who waits for it sees that it is gone, and makes another."""
    lock = FileLock(store.lock_path(item.key))
    if not _hold(lock):
        return False
    try:
        if store.has(item.key):
            return False
        item.path.unlink(missing_ok=True)
    finally:
        lock.release()
    return True


def _remove_unfinished(store: Store, item: Item) -> bool:
    made = MADE.fullmatch(item.path.name)
    if made and not store.is_free(made[1]):
        return False
    return _remove_plain(store, item)


def _remove_plain(store: Store, item: Item) -> bool:
    if fs.kind_of(item.path) == "a folder":
        fs.remove_tree(item.path)
    else:
        item.path.unlink(missing_ok=True)
    return True


def _hold(lock: FileLock) -> bool:
    try:
        lock.acquire(timeout=0)
    except TimeoutError:
        return False
    return True
