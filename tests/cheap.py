"""Stages that cost next to nothing, to try engines with: they wait, write some bytes, or come to grief in a chosen way.

As a program, `python -m tests.cheap FOLDER JOBS POINTS SECONDS`, it runs a graph of them.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import psutil

from runner.base import files as fs
from runner.base.progress import Progress
from runner.engine import local
from runner.engine.settings import Cluster
from runner.errors import OvrunError, Problem, RecipeError
from runner.plan.types import Stage
from runner.stages import Task
from runner.store import Entry, Store
from tests.processes import family

REVISION = 1
TEMPLATE: str | None = "gc.collect"


def libraries(params: Mapping[str, Any]) -> tuple[str, ...]:
    """None shapes what these stages write."""
    return ()


def template(params: Mapping[str, Any]) -> str | None:
    """A template, so that its life is tried too."""
    return TEMPLATE


def prepare(params: Mapping[str, Any]) -> None:
    """Nothing to import."""


def run(task: Task, progress: Progress) -> dict[str, Any]:
    """Write a file that follows from the parameters and from what the inputs hold."""
    params = task.params
    if file := params.get("counted"):
        with open(file, "a") as stream:  # noqa: PTH123
            stream.write("x")
    digest = hashlib.sha256(str(params["number"]).encode())
    for role in sorted(role for role in task.inputs if role.startswith("in")):
        digest.update((task.inputs[role] / "out").read_bytes())
    (task.out / "half").write_text("half")
    _live(params, progress)
    (task.out / "half").unlink()
    (task.out / "out").write_text(digest.hexdigest())
    mine = {"first": os.getpid()} if "rest" in params else {}
    return {"number": params["number"], "cores": sorted(os.sched_getaffinity(0)), **mine}


def rest(task: Task) -> str | None:
    """A second half, where it is asked for."""
    return "tests.cheap_rest" if "rest" in task.params else None


def _live(params: Mapping[str, Any], progress: Progress) -> None:
    match params.get("do"):
        case "raise":
            message = "this stage was told to fail"
            raise ValueError(message)
        case "refuse":
            raise RecipeError([Problem("x.yaml:1:2", "a.key", "is wrong", "allowed: right", "right")], hint="Be right.")
        case "signal":
            os.kill(os.getpid(), params.get("signal", signal.SIGSEGV))
        case "leave a child and die":
            if os.fork() == 0:
                time.sleep(600)
            os.kill(os.getpid(), signal.SIGSEGV)
        case "eat":
            eaten = [bytearray(b"x" * (8 << 20)) for _ in range(params["bytes"] >> 23)]
            time.sleep(1)
            eaten.clear()
        case "kill its worker":
            (worker,) = (one for one in psutil.Process().parents() if "spawn_main" in " ".join(one.cmdline()))
            worker.kill()
            time.sleep(5)
    while (held := params.get("held_until")) and not Path(held).exists():
        time.sleep(0.05)
    steps = 4
    for step in range(steps):
        time.sleep(params.get("seconds", 0.0) / steps)
        progress(step + 1, steps)


def stage(number: int, *after: Stage, name: str = "cheap", label: str = "", **params: Any) -> Stage:
    """A stage of this module."""
    params = {"number": number, **params}
    inputs = {f"in{i}": one.key for i, one in enumerate(after)}
    shaping = {name: value for name, value in params.items() if name not in ("counted", "seconds")}
    document = {"stage": name, "revision": REVISION, "params": shaping, "inputs": inputs, "versions": {}}
    key = fs.sha256_json(document)
    return Stage(name, label or f"{name} {number}", "", key, document, params, inputs, module="tests.cheap")


def record(name: str, result: Mapping[str, Any] | None = None, label: str = "") -> dict[str, Any]:
    """The record of a stage, as an engine gives it to the store."""
    costs = {"import_seconds": 0.0, "seconds": 1.0, "cpu_seconds": 1.0, "peak_memory": 1}
    rest = {"created": "2026-01-01T00:00:00+00:00", "hardware": {}, "document": {}}
    return {"stage": name, "label": label or name, "result": dict(result or {}), **costs, **rest}


class Recorder:
    """A watcher that keeps what it is told as (seconds, what, label, …)."""

    def __init__(self) -> None:
        self.told: list[tuple[Any, ...]] = []

    def _note(self, *what: Any) -> None:
        self.told.append((time.monotonic(), *what))

    def started(self, stage: Stage, worker: str) -> None:
        self._note("started", stage.label, worker)

    def waiting(self, stage: Stage) -> None:
        self._note("waiting", stage.label)

    def progress(self, stage: Stage, done: int, total: int) -> None:
        self._note("progress", stage.label, done, total)

    def finished(self, stage: Stage, entry: Entry, reused: bool) -> None:
        self._note("finished", stage.label, reused, entry.result)

    def failed(self, stage: Stage, error: OvrunError) -> None:
        self._note("failed", stage.label, error)

    def of(self, what: str) -> list[tuple[Any, ...]]:
        """The events of one kind, without their times."""
        return [event[2:] for event in self.told if event[1] == what]


class Acting(Recorder):
    """A recorder that does something once, when it hears of a moment in a stage's life, or of the plan."""

    def __init__(self, moment: str = "", stage: str = "", act: Callable[[], object] = lambda: None) -> None:
        super().__init__()
        self.moment, self.stage, self.act = moment, stage, act
        self.acted = False

    def planned(self, graph: object, needed: object) -> None:
        self._perhaps("planned", self.stage)

    def warned(self, sentence: str) -> None:
        self._note("warned", sentence)

    def point(self, outcome: object) -> None: ...

    def ended(self, run: object) -> None: ...

    def started(self, stage: Stage, worker: str) -> None:
        super().started(stage, worker)
        self._perhaps("started", stage.name)

    def progress(self, stage: Stage, done: int, total: int) -> None:
        super().progress(stage, done, total)
        self._perhaps("progress", stage.name)

    def _perhaps(self, moment: str, stage: str) -> None:
        if not self.acted and (moment, stage) == (self.moment, self.stage):
            self.acted = True
            self.act()


def points(count: int, **params: Any) -> list[Stage]:
    """A graph like a sweep's: one root, and for each point two stages in a row."""
    root = stage(-1, name="root", **params)
    rows = [(one := stage(n, root, name="one", **params), stage(n, one, name="two", **params)) for n in range(count)]
    return [root, *(step for row in rows for step in row)]


def execute(
    stages: Sequence[Stage], folder: Path, jobs: int, watcher: Recorder | None = None, **more: Any
) -> local.Results:
    """Run stages with their store and logs in a folder, in this process (0 jobs) or on workers."""
    store = store_in(folder)
    watcher = watcher or Recorder()
    if jobs == 0:
        return local.execute(stages, store, log_in(folder), watcher, **more)
    from runner.engine import cluster

    fail_fast = more.pop("fail_fast", False)
    settings = Cluster(jobs=jobs, **more)
    return cluster.execute(stages, store, log_in(folder), watcher, settings, fail_fast=fail_fast)


def workers(pid: int) -> list[psutil.Process]:
    """The Dask workers in the family of a process that have a fork server, so that stages can run."""
    return [process for process in family(pid) if _is_worker(process)]


def _is_worker(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.Error):
        return "spawn_main" in " ".join(process.cmdline()) and bool(process.children())
    return False


def store_in(folder: Path) -> Store:
    """The store of a folder."""
    (folder / ".store").mkdir(parents=True, exist_ok=True)
    return Store(folder / ".store")


def log_in(folder: Path) -> Callable[[Stage], Path]:
    """Where the stages of a folder write their logs."""
    (folder / "logs").mkdir(parents=True, exist_ok=True)
    return lambda stage: folder / "logs" / f"{stage.name}-{stage.key[:12]}.log"


def digests(folder: Path) -> dict[str, str]:
    """Key -> digest of what every visible entry holds; fails if one of them is not whole."""
    found = {}
    store = store_in(folder)
    for path in (store.root / "entries").glob("*/*"):
        assert not store.damaged(path.name), f"{path} is not whole"
        assert sorted(file.name for file in (path / "files").iterdir()) == ["out"], f"{path} is half-written"
        found[path.name] = (path / "files" / "out").read_text()
    return found


def main() -> None:
    """Run a graph; the exit code is 1 if any stage failed."""
    folder, jobs, count, seconds = Path(sys.argv[1]), *map(float, sys.argv[2:5])
    stages = points(int(count), seconds=seconds, counted=str(folder / "count"))
    try:
        results = execute(stages, folder, int(jobs))
    except OvrunError as error:
        sys.exit(f"error: {error.message}")
    sys.exit(any(results.values()))


if __name__ == "__main__":
    main()
