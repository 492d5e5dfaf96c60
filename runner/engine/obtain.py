"""One stage, obtained: taken over from whoever makes it at the moment, or made here and published."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

import runner.base.files as fs
from runner.base import hardware
from runner.base.progress import Progress
from runner.engine import inputs
from runner.engine.failures import ServerGoneError
from runner.engine.process import Measured, StageProcess
from runner.engine.watcher import Watcher
from runner.errors import OvrunError
from runner.plan.types import Stage
from runner.stages import Task, rest
from runner.store import Entry, Store, cannot_write

_TRIES = 3


Start = Callable[[str], StageProcess]
"""Gives a process for a module: the stage's own, or that of its rest; called only if the stage has to be made."""


def obtain(
    stage: Stage,
    store: Store,
    start: Start,
    watcher: Watcher,
    worker: str = "",
    nearly_done: Callable[[], object] = tuple,
) -> Entry:
    """Make a stage, or wait for another run that makes it.

    Args:
        nearly_done: called, perhaps often, when four fifths of the stage are done by its own account.

    Raises:
        OvrunError: the stage's own; nothing of it stays in the store. The watcher has been told.
    """
    try:
        with store.locked(stage.key, lambda: watcher.waiting(stage)):
            entry = store.find(stage.key)
            if entry is None:
                watcher.started(stage, worker)
                entry = _make(stage, store, start, _progress(stage, watcher, nearly_done))
                watcher.finished(stage, entry, reused=False)
            else:
                watcher.finished(stage, entry, reused=True)
            return entry
    except OvrunError as error:
        watcher.failed(stage, error)
        raise


def _progress(stage: Stage, watcher: Watcher, nearly_done: Callable[[], object]) -> Progress:
    def progress(done: int, total: int) -> None:
        watcher.progress(stage, done, total)
        if 5 * done >= 4 * total:
            nearly_done()

    return progress


def _make(stage: Stage, store: Store, start: Start, progress: Progress) -> Entry:
    for tries_left in reversed(range(_TRIES)):
        try:
            return _make_once(stage, store, start, progress)
        except ServerGoneError:  # nothing is wrong with the stage
            if not tries_left:
                raise
    raise AssertionError


def _make_once(stage: Stage, store: Store, start: Start, progress: Progress) -> Entry:
    folder = None
    try:
        folder = store.begin(stage.key)
        measured = _run(stage, store, folder / "files", start, progress)
        return store.publish(stage.key, folder, _record(stage, measured))
    except OSError as error:
        raise cannot_write(store.root.parent, error) from error
    finally:
        if folder is not None:
            fs.discard_tree(folder)


def _run(stage: Stage, store: Store, out: Path, start: Start, progress: Progress) -> Measured:
    """Run a stage whose inputs stay what its key says; what went wrong is told of one that changed, if one did."""
    seen = inputs.look(stage, store)
    task = _task(stage, store, out)
    try:
        measured = start(stage.module).run(task, progress)
        left = rest(stage.module, task)
        if left:
            measured += start(left).run(task, progress)
    except OvrunError:
        inputs.hold(stage, store, seen)
        raise
    inputs.hold(stage, store, seen)
    return measured


def _record(stage: Stage, measured: Measured) -> dict[str, object]:
    return {
        "stage": stage.name,
        "label": stage.label,
        "document": stage.document,
        "result": measured.result,
        "import_seconds": measured.import_seconds,
        "seconds": measured.seconds,
        "cpu_seconds": measured.cpu_seconds,
        "peak_memory": measured.peak_memory,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "hardware": hardware.describe(),
    }


def _task(stage: Stage, store: Store, out: Path) -> Task[object]:
    read: dict[str, Path] = dict(stage.files)
    read |= {role: store.folder(key) / "files" for role, key in stage.after.items()}
    return Task(stage.name, stage.params, out.resolve(), _absolute(read), stage.datasets, stage.seed)


def _absolute(paths: Mapping[str, Path]) -> dict[str, Path]:
    return {role: path.absolute() for role, path in paths.items()}
