"""Worker processes that run cases, and their parent, which ends the ones that are stuck or grow without bounds."""

from __future__ import annotations

import importlib
import multiprocessing
import os
import queue
import random
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path

import psutil

from runner.commands import COMMANDS
from tests.campaigns.trial import Trial
from tests.campaigns.watch import Watch

# A worker is replaced now and then, so that nothing that one case leaves behind adds up.
_CASES_A_WORKER = 400
_START = 120.0
# How many times its limit a case may take that computes for less than that: it waits for a core, or for ever.
_WAITING = 6


@dataclass(frozen=True)
class Task:
    """What a worker must know of its campaign, and what it is held to."""

    module: str
    warm: tuple[str, ...]
    base: Path
    shared: Path
    seed: int
    keep: bool
    seconds: float
    megabytes: int
    patience: float


@dataclass
class Verdict:
    """One case's end."""

    number: int
    complaints: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    seconds: float = 0
    megabytes: float = 0
    stuck: bool = False


def judge(task: Task, numbers: Iterable[int], jobs: int, until: float) -> Iterator[Verdict]:
    """Give each case to one of the workers, and its verdict as soon as it is there; no case starts after `until`."""
    waiting = iter(numbers)
    lock, verdicts = threading.Lock(), queue.SimpleQueue[Verdict | BaseException | None]()

    def numbers_left() -> Iterator[int]:
        while time.monotonic() < until:
            with lock:
                number = next(waiting, None)
            if number is None:
                return
            yield number

    threads = [threading.Thread(target=_slot, args=(task, numbers_left(), verdicts), daemon=True) for _ in range(jobs)]
    for thread in threads:
        thread.start()
    running = len(threads)
    while running:
        found = verdicts.get()
        if isinstance(found, BaseException):
            raise found
        if found is None:
            running -= 1
        else:
            yield found


def _slot(task: Task, numbers: Iterable[int], verdicts: queue.SimpleQueue[Verdict | BaseException | None]) -> None:
    """Run cases one after the other, in a worker that is replaced when it must be."""
    worker = _Worker(task)
    try:
        for number in numbers:
            verdict = worker.attempt(number)
            if verdict.stuck:
                verdict = worker.attempt(number)  # a busy machine is slow once; a case that hangs does so twice
            verdicts.put(verdict)
    except BaseException as error:
        verdicts.put(error)
    finally:
        worker.end()
        verdicts.put(None)


class _Worker:
    """A process that runs cases, started when one is there to run."""

    def __init__(self, task: Task) -> None:
        self.task = task
        self.process: psutil.Process | None = None
        self.cases = 0

    def attempt(self, number: int) -> Verdict:
        """Run one case; a worker that is stuck, too large or dead is ended, and that is the verdict."""
        self._ready()
        base = self._memory()
        try:
            self.pipe.send(number)
            verdict = self._follow(Verdict(number), base)
        except (EOFError, OSError):
            verdict = Verdict(number, ["the process died"])
        if verdict.stuck or (verdict.complaints and not self._alive()) or self.cases >= _CASES_A_WORKER:
            self.end()
        return verdict

    def _follow(self, verdict: Verdict, base: float) -> Verdict:
        began, spent, limit = time.monotonic(), self._cpu(), self.task.patience
        while True:
            while self.pipe.poll(0.1):
                kind, value = self.pipe.recv()
                if kind == "done":
                    value.megabytes = max(value.megabytes, verdict.megabytes)
                    return value  # type: ignore[no-any-return]
                if kind == "note":
                    verdict.notes.append(value)
                else:
                    began, spent, limit = time.monotonic(), self._cpu(), value or self.task.patience
            verdict.megabytes = max(verdict.megabytes, self._memory() - base)
            verdict.seconds = time.monotonic() - began
            worked = self._cpu() - spent
            verdict.stuck = verdict.seconds > limit and (worked > limit or verdict.seconds > _WAITING * limit)
            if verdict.stuck:
                verdict.complaints.append(f"not done after {limit:g} s")
            if verdict.megabytes > self.task.megabytes:
                verdict.complaints.append(f"grew by {verdict.megabytes:.0f} MB")
            if verdict.complaints:
                self.end()
                return verdict

    def _ready(self) -> None:
        if self.process is None:
            context = multiprocessing.get_context("spawn")
            self.pipe, theirs = context.Pipe()
            self.child = context.Process(target=_work, args=(self.task, theirs), daemon=False)
            self.child.start()
            theirs.close()
            self.process, self.cases = psutil.Process(self.child.pid), 0
            if not self.pipe.poll(_START):
                message = "a worker does not start"
                raise TimeoutError(message)
            self.pipe.recv()
        self.cases += 1

    def _alive(self) -> bool:
        return self.process is not None and self.child.is_alive()

    def _family(self) -> list[psutil.Process]:
        with suppress(psutil.NoSuchProcess):
            return [self.process, *self.process.children(recursive=True)] if self.process else []
        return []

    def _cpu(self) -> float:
        """Seconds of computing so far: on a busy machine a case waits for others, and that is no fault of it."""
        total = 0.0
        for one in self._family():
            with suppress(psutil.NoSuchProcess):
                total += sum(one.cpu_times()[:4])  # its own, and those of its children that ended
        return total

    def _memory(self) -> float:
        total = 0
        for one in self._family():
            with suppress(psutil.NoSuchProcess):
                total += one.memory_info().rss
        return total / 1e6

    def end(self) -> None:
        """Kill the process and all that it started."""
        for one in self._family():
            with suppress(psutil.NoSuchProcess):
                one.kill()
        if self.process is not None:
            self.child.join()
            self.pipe.close()
            self.process = None


def _work(task: Task, pipe: Connection) -> None:
    """A worker: its own home and temporary folder, then one case after the other."""
    own = Path(tempfile.mkdtemp(prefix="worker-", dir=task.base))
    _settle(own)
    for module in ("runner.cli", "runner.recipe", *task.warm):
        importlib.import_module(module)
    for command in COMMANDS:
        command.load()
    campaign = importlib.import_module(task.module).CAMPAIGN
    watch = Watch()
    watch.install()
    pipe.send(("ready", None))
    while True:
        number = pipe.recv()
        pipe.send(("done", _case(campaign, task, own, number, watch, pipe)))


def _settle(own: Path) -> None:
    """Where a home or a temporary folder is used, it is one that is looked into afterwards."""
    sys.dont_write_bytecode = True
    sys.stdin = open(os.devnull)  # noqa: PTH123
    os.dup2(sys.stdin.fileno(), 0)
    for variable, name in (("HOME", "home"), ("TMPDIR", "tmp")):
        (own / name).mkdir()
        os.environ[variable] = str(own / name)
    tempfile.tempdir = None
    os.environ.update(HF_HOME=str(own / "home" / "hub"), HF_HUB_OFFLINE="1", PYTHONDONTWRITEBYTECODE="1", COLUMNS="120")


def _case(campaign: object, task: Task, own: Path, number: int, watch: Watch, pipe: Connection) -> Verdict:
    folder = task.base / f"case-{number}"
    _remove(folder)
    folder.mkdir()
    os.chdir(folder)
    random_numbers = random.Random(f"{task.seed}:{number}")
    canary = own / "executed"
    trial = Trial(number, random_numbers, folder, task.shared, canary, watch, _tell(pipe), task.seconds)
    try:
        campaign.case(trial)  # type: ignore[attr-defined]
    except Exception as error:
        trial.complain(f"the campaign itself failed: {error!r:.1000}")
    os.chdir(task.base)
    if trial.largest > task.megabytes:
        trial.complain(f"grew by {trial.largest:.0f} MB")
    trial.complaints += [f"left {left} behind" for left in _leftovers(own)]
    if not task.keep:
        _remove(folder)
    return Verdict(number, trial.complaints, trial.notes, trial.slowest, trial.largest)


def _tell(pipe: Connection):  # type: ignore[no-untyped-def]
    return lambda kind, value: pipe.send((kind, value))


def _leftovers(own: Path) -> list[str]:
    """What was left in the home and the temporary folder, which is taken away."""
    found = [path for name in ("home", "tmp") for path in (own / name).iterdir()]
    for path in found:
        _remove(path)
    return [path.name for path in found]


def _remove(path: Path) -> None:
    """Take a file or a folder away, read-only or not."""
    if path.is_dir() and not path.is_symlink():
        for folder, _, _ in os.walk(path):
            with suppress(OSError):
                os.chmod(folder, 0o700)  # noqa: PTH101
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
