"""The engine of one machine: the stages that are missing, one after the other, each in a process of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from filelock import FileLock, Timeout

import runner.files as fs
from runner import hardware
from runner.engine.process import Measured, StageProcess
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


Inspect = Callable[[Stage, Entry], None]
"""Called with each finished stage; raises to stop the run."""


def execute(
    plan: Plan, chosen: Sequence[Stage], store: Store, log: Path, observer: Observer, inspect: Inspect
) -> dict[str, Entry]:
    """Run stages in the plan's order, or take over what another run has just made.

    The process of the next stage starts ahead, and imports its libraries while the one before works.

    Raises:
        OvrunError: of the first stage that fails; what finished before stays in the store.
    """
    made: dict[str, Entry] = {}
    engine = _Engine(plan, store, log, observer)
    try:
        for stage, following in zip(chosen, [*chosen[1:], None], strict=True):
            made[stage.key] = engine.obtain(stage, following)
            inspect(stage, made[stage.key])
    finally:
        engine.close()
    return made


class _Engine:
    """The stages of one run; at most one runs, and at most one more waits with its libraries loaded."""

    def __init__(self, plan: Plan, store: Store, log: Path, observer: Observer) -> None:
        self.plan, self.store, self.log, self.observer = plan, store, log, observer
        self.ahead: tuple[str, StageProcess] | None = None

    def obtain(self, stage: Stage, following: Stage | None) -> Entry:
        """Make a stage, or wait for another run that makes it."""
        lock = FileLock(self.store.lock_path(stage.key))
        try:
            lock.acquire(timeout=0)
        except Timeout:
            self.observer.waiting(stage)
            lock.acquire(poll_interval=0.2)
        try:
            entry = self.store.find(stage.key)
            if entry is not None:
                self.observer.finished(stage, entry, reused=True)
                return entry
            return self._make(stage, following)
        finally:
            lock.release()

    def close(self) -> None:
        """End what was started ahead and not used."""
        if self.ahead is not None:
            self.ahead[1].end()
            self.ahead = None

    def _process(self, stage: Stage, following: Stage | None) -> StageProcess:
        """The stage's process, started ahead or now; then the following stage's."""
        key, process = self.ahead or ("", None)
        if process is None or key != stage.key:
            self.close()
            process = StageProcess(stage.name, stage.params, self.log)
        self.ahead = None
        if following is not None:
            self.ahead = following.key, StageProcess(following.name, following.params, self.log)
        return process

    def _make(self, stage: Stage, following: Stage | None) -> Entry:
        self.observer.started(stage)
        folder = None
        try:
            folder = self.store.begin(stage.key)
            task = _task(self.plan, stage, self.store, folder / "files")
            measured = self._process(stage, following).run(task, self.observer.progress)
            entry = self.store.publish(stage.key, folder, _record(stage, measured))
        except BaseException as error:
            self.observer.failed(stage)
            if isinstance(error, OSError):
                raise cannot_write(self.store.root.parent, error) from error
            if isinstance(error, RecipeError):
                raise _placed(error, self.plan, stage) from error
            raise
        finally:
            if folder is not None:
                fs.remove_tree(folder)
        self.observer.finished(stage, entry, reused=False)
        return entry


def _record(stage: Stage, measured: Measured) -> dict[str, Any]:
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
