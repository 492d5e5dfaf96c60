"""The engine of one machine: the stages that are missing, one after the other, each in a process of its own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from filelock import FileLock, Timeout

import runner.files as fs
from runner import hardware
from runner.engine.process import run_task
from runner.errors import Problem, RecipeError
from runner.plan import Plan, Stage
from runner.stages import Task
from runner.store import Entry, Store, cannot_write


class Observer(Protocol):
    """Who watches a run. Entries come with their original timings, `reused` tells that no work was done."""

    def planned(self, plan: Plan, chosen: Sequence[Stage]) -> None: ...

    def started(self, stage: Stage) -> None: ...

    def waiting(self, stage: Stage) -> None: ...

    def progress(self, done: int, total: int) -> None: ...

    def finished(self, stage: Stage, entry: Entry, reused: bool) -> None: ...

    def failed(self, stage: Stage) -> None: ...


def missing(plan: Plan, store: Store) -> list[Stage]:
    """The stages that have to run: those of the targets that are not in the store, and what they need."""
    wanted = list(plan.targets)
    absent: set[str] = set()
    seen: set[str] = set()
    while wanted:
        key = wanted.pop()
        if key in seen:
            continue
        seen.add(key)
        if store.find(key) is None:
            absent.add(key)
            wanted.extend(plan.stage(key).after.values())
    return [stage for stage in plan.stages if stage.key in absent]


def execute(plan: Plan, chosen: Iterable[Stage], store: Store, log: Path, observer: Observer) -> dict[str, Entry]:
    """Run stages in the plan's order, or take over what another run has just made.

    Raises:
        OvrunError: of the first stage that fails; what finished before stays in the store.
    """
    made = {}
    for stage in chosen:
        made[stage.key] = _obtain(plan, stage, store, log, observer)
    return made


def _obtain(plan: Plan, stage: Stage, store: Store, log: Path, observer: Observer) -> Entry:
    lock = FileLock(store.lock_path(stage.key))
    try:
        lock.acquire(timeout=0)
    except Timeout:
        observer.waiting(stage)
        lock.acquire(poll_interval=0.2)
    try:
        entry = store.find(stage.key)
        if entry is not None:
            observer.finished(stage, entry, reused=True)
            return entry
        return _make(plan, stage, store, log, observer)
    finally:
        lock.release()


def _make(plan: Plan, stage: Stage, store: Store, log: Path, observer: Observer) -> Entry:
    observer.started(stage)
    folder = None
    try:
        folder = store.begin(stage.key)
        measured = run_task(_task(plan, stage, store, folder / "files"), log, observer.progress)
        entry = store.publish(
            stage.key,
            folder,
            {
                "stage": stage.name,
                "label": stage.label,
                "document": stage.document,
                "result": measured.result,
                "seconds": measured.seconds,
                "cpu_seconds": measured.cpu_seconds,
                "peak_memory": measured.peak_memory,
                "created": datetime.now(UTC).isoformat(timespec="seconds"),
                "hardware": hardware.describe(),
            },
        )
    except OSError as error:
        observer.failed(stage)
        raise cannot_write(store.root.parent, error) from error
    except RecipeError as error:
        observer.failed(stage)
        raise _placed(error, plan, stage) from error
    except BaseException:
        observer.failed(stage)
        raise
    finally:
        if folder is not None:
            fs.remove_tree(folder)
    observer.finished(stage, entry, reused=False)
    return entry


def _task(plan: Plan, stage: Stage, store: Store, out: Path) -> Task:
    inputs: dict[str, Path] = dict(stage.files)
    inputs |= {role: store.folder(key) / "files" for role, key in stage.after.items()}
    return Task(stage.name, stage.params, out.resolve(), _absolute(inputs), stage.datasets, plan.recipe.seed)


def _absolute(paths: Mapping[str, Path]) -> dict[str, Path]:
    return {role: path.resolve() for role, path in paths.items()}


def _placed(error: RecipeError, plan: Plan, stage: Stage) -> RecipeError:
    """A stage does not know where a recipe's value was written; the plan does."""
    placed = []
    for problem in error.problems:
        given: dict[str, Any] = vars(problem)
        if not problem.where:
            inside = not problem.key.startswith(("input_info", "model", "conversion", "accuracy"))
            key = ".".join(part for part in (stage.section if inside else "", problem.key) if part)
            given = {**given, "where": plan.recipe.where(key), "key": key}
        placed.append(Problem(**given))
    whole = RecipeError(placed, hint=error.hint)
    whole.log = error.log
    return whole
