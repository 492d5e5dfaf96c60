"""What a Dask worker does for a sweep: obtain one stage in a process of its own, and tell the client how it goes.

Nothing large passes through Dask: a task gets a stage's description and gives the record of its store entry.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from distributed import Worker, WorkerPlugin, get_worker

from runner.base.keys import version_of
from runner.engine import failures
from runner.engine.failures import OutOfMemoryError, cannot_start
from runner.engine.forkclient import ForkServer
from runner.engine.obtain import obtain
from runner.engine.process import StageProcess
from runner.errors import AccuracyError, OvrunError, RecipeError, SourceError, StageError
from runner.plan.types import Stage
from runner.stages import load
from runner.store import Entry, Store

_TELL_EVERY = 0.5
_TIDY_WITHIN = 5
_OWN_MEMORY = 256 << 20
"""Bytes that a worker, its nanny and its fork server need of what a job was given: 0.2 GB were measured."""


@dataclass(frozen=True)
class Work:
    """One stage, the root of the store, its log, and the name of the run that wants it."""

    stage: Stage
    store: Path
    log: Path
    run: str


@dataclass(frozen=True)
class Made:
    """A stage that is in the store: the record of its entry; `reused` if another run made it."""

    record: dict[str, object]
    reused: bool


@dataclass(frozen=True)
class Failed:
    """The error of the stage `key` as plain data, which survives pickling; `blocked` if it is only an input's."""

    key: str
    type: str
    message: str
    hint: str | None
    problems: tuple[dict[str, object], ...] = ()
    log: Path | None = None
    blocked: bool = False


class OutOfMemory(Exception):
    """Carries a stage's failure out of a task, for only a task that raises is tried again by Dask."""

    def __init__(self, failed: Failed) -> None:
        super().__init__(failed)
        self.failed = failed


def obtain_stage(pickled: bytes, *inputs: Made | Failed) -> Made | Failed:
    """The task: obtain the stage of a pickled `Work`, unless one that it reads has failed.

    Raises:
        OutOfMemory: it needed more memory than there was.
    """
    work: Work = pickle.loads(pickled)
    if any(isinstance(one, Failed) for one in inputs):
        return Failed(work.stage.key, "StageError", "not run", None, blocked=True)
    relay = _Relay(work)
    try:
        _refuse_stranger(work)
        entry = obtain(work.stage, Store(work.store), lambda module: _start(work, module), relay, relay.name)
        return Made(dict(entry.record), relay.reused)
    except OutOfMemoryError as error:
        if work.run in _given_up:
            return describe(work.stage.key, error)
        raise OutOfMemory(describe(work.stage.key, error)) from None
    except OvrunError as error:
        return describe(work.stage.key, error)
    finally:
        with _lock:
            _running.pop(work.stage.key, None)


def describe(key: str, error: OvrunError) -> Failed:
    """An error of ovrun as plain data."""
    kinds: Sequence[type[OvrunError]] = (SourceError, AccuracyError, RecipeError)
    kind = next((kind for kind in kinds if isinstance(error, kind)), StageError)
    problems = tuple(vars(problem) for problem in error.problems) if isinstance(error, RecipeError) else ()
    return Failed(key, kind.__name__, error.message, error.hint, problems, error.log)


def give_up(run: str) -> None:
    """End the stages of a run in this process, and start no more of them. Called in the worker by the client."""
    with _lock:
        _given_up.add(run)
        running = [process for process in _running.values() if process.run_name == run]
    for process in running:
        process.kill()
    deadline = time.monotonic() + _TIDY_WITHIN
    while _unfinished(run) and time.monotonic() < deadline:  # what they had begun is removed meanwhile
        time.sleep(0.01)


def _unfinished(run: str) -> bool:
    with _lock:
        return any(process.run_name == run for process in _running.values())


class _Process(StageProcess):
    """A stage's process that another thread may kill."""

    run_name: str

    def is_there(self) -> None:
        """Wait for the process's number, before two threads may want it."""
        self._number()

    def kill(self) -> None:
        self._kill()


_lock = threading.Lock()
_server: ForkServer | None = None
_running: dict[str, _Process] = {}
_given_up: set[str] = set()


def _start(work: Work, module: str) -> StageProcess:
    """Fork the stage's process."""
    with _lock:
        if work.run in _given_up:
            message = f"{work.stage.label} was given up"
            raise StageError(message)
        process = _fork(work, module)
        process.run_name = work.run
        process.is_there()
        _running[work.stage.key] = process
        return process


def _fork(work: Work, module: str) -> _Process:
    global _server
    try:
        _server = _server or ForkServer()
    except OSError as error:
        raise cannot_start(error, work.log) from error
    return _Process(_server, module, work.stage.params, work.log, memory_limit(get_worker()))


def memory_limit(worker: Worker) -> int | None:
    """Bytes that one stage may use on a worker: its resource `memory`, else its share of the worker's limit."""
    declared = worker.state.total_resources.get("memory")
    if declared:
        return int(declared)
    limit = worker.memory_manager.memory_limit
    return max(int(limit) - _OWN_MEMORY, _OWN_MEMORY) // worker.state.nthreads if limit else None


def _refuse_stranger(work: Work) -> None:
    """Refuse to work where the result would not be the one that the key stands for.

    Raises:
        StageError: this worker does not see the store or has other versions of libraries.
    """
    name = _name(get_worker())
    if not work.store.is_dir():
        message = f"{name} does not see the store {work.store}"
        raise StageError(message, hint="The outputs folder has to be on a file system that all workers share.")
    wanted = work.stage.document.get("versions", {})
    here = {library: version_of(library) for library in wanted}
    if here != wanted or load(work.stage.module).REVISION != work.stage.document.get("revision", 0):
        differing = [f"{n} {here[n]} (here: {v})" for n, v in wanted.items() if here[n] != v] or ["another ovrun"]
        message = f"{name} has {', '.join(differing)}"
        raise StageError(message, hint="Workers need the same versions as the machine that runs the sweep.")


def _name(worker: Worker) -> str:
    name = str(worker.name)
    return f"worker {name}" if name.isdigit() else name


class _Relay:
    """The watcher in a worker: what happens goes to the client as events of the run's topic."""

    def __init__(self, work: Work) -> None:
        self.work = work
        self.worker = get_worker()
        self.name = _name(self.worker)
        self.reused = False
        self._told = time.monotonic()

    def started(self, stage: Stage, worker: str) -> None:
        self._tell("started", worker)

    def waiting(self, stage: Stage) -> None:
        self._tell("waiting")

    def progress(self, stage: Stage, done: int, total: int) -> None:
        now = time.monotonic()
        if now - self._told >= _TELL_EVERY:
            self._told = now
            self._tell("progress", done, total)

    def finished(self, stage: Stage, entry: Entry, reused: bool) -> None:
        self.reused = reused

    def failed(self, stage: Stage, error: OvrunError) -> None:
        """The task's result tells it."""

    def _tell(self, what: str, *details: object) -> None:
        self.worker.log_event(self.work.run, [what, self.work.stage.key, *details])


class Setup(WorkerPlugin):  # type: ignore[misc]
    """Gives a worker its own processor cores, and starts its fork server.

    OpenVINO, TBB, OpenMP and torch use as many threads as there are cores in the affinity mask.
    """

    name = "ovrun-setup"

    def __init__(self, cores: Sequence[int]) -> None:
        self.cores = tuple(cores)

    def setup(self, worker: Worker) -> None:
        """Pin every thread that the worker has; what it starts later follows."""
        global _server
        if hasattr(os, "sched_setaffinity"):
            for thread in Path("/proc/self/task").iterdir():
                os.sched_setaffinity(int(thread.name), self.cores)
        with contextlib.suppress(OSError):  # the first stage tries again, and tells what is wrong
            _server = ForkServer()


def rebuild(failed: Failed, stage: Stage, log: Path) -> OvrunError:
    """The exception that a worker described."""
    document = {"type": failed.type, "message": failed.message, "hint": failed.hint}
    if failed.problems:
        document["problems"] = cast(Any, failed.problems)
    error = failures.rebuild(document, stage.name, log)
    error.log = failed.log or log
    return error
