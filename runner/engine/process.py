"""One stage in a process of its own: start it, follow its events, measure it, end it.

A fresh process makes a stage's output independent of what ran before it (OpenVINO numbers its nodes by process),
keeps library chatter off the console, gives the exact peak memory, and frees everything at its end.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import pickle
import select
import signal
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runner.engine.forkserver import ForkServer
from runner.errors import AccuracyError, OvrunError, Problem, RecipeError, SourceError, StageError
from runner.stages import Progress, Task, load
from runner.store import cannot_write

_LOOK_AT_MEMORY_EVERY = 0.1


class OutOfMemoryError(StageError):
    """A stage took more memory than there was for it."""


@dataclass(frozen=True)
class Measured:
    """What a stage told and what it cost: seconds of wall and CPU time, peak resident memory in bytes.

    `import_seconds` went into loading libraries; for all but a run's first stage, while the stage before still ran.
    """

    result: dict[str, Any]
    import_seconds: float
    seconds: float
    cpu_seconds: float
    peak_memory: int


@dataclass(frozen=True)
class _End:
    """How a process ended: its exit code (negative: a signal), seconds of CPU time, peak resident memory in bytes."""

    code: int
    cpu_seconds: float
    peak_memory: int


class StageProcess:
    """A process for one stage. It imports what the stage needs as soon as it starts, and runs one task.

    `memory_limit` is in bytes; a process whose resident memory goes beyond it is ended.
    """

    def __init__(
        self,
        server: ForkServer,
        module: str,
        params: Mapping[str, Any],
        log: Path,
        memory_limit: int | None = None,
    ) -> None:
        self.log = log
        self.memory_limit = memory_limit
        self._pid: int | None = None
        self._ended: _End | None = None
        task, self._task = os.pipe()
        self._events, events = os.pipe()
        report, reporting = os.pipe()
        self._report = os.fdopen(report, "r")
        template = module if getattr(load(module), "PREPARE_ONCE", False) else None
        with log.open("ab", buffering=0) as stream:
            theirs = [task, events, stream.fileno(), reporting]
            try:
                server.fork(template, theirs)
            finally:
                for descriptor in (task, events, reporting):
                    os.close(descriptor)
        self._give((module, dict(params)))

    def run(self, task: Task, progress: Progress) -> Measured:
        """Run the task to its end.

        Raises:
            OvrunError: the stage's own, or a StageError; it names the log.
            KeyboardInterrupt: passed on after the process has ended.
        """
        start = time.monotonic()
        with self.log.open("ab", buffering=0) as stream:
            stream.write(f"\n--- {task.stage} {time.strftime('%H:%M:%S')} ---\n".encode())
        try:
            self._give(task)
            self._number()
            outcome = self._follow(progress)
            if outcome is not None:
                self._kill()
            ended = self._wait()
        finally:
            self.end()
        if outcome is None or "error" in outcome:
            error = rebuild(outcome["error"], task.stage, self.log) if outcome else self._died(task.stage, ended)
            error.log = self.log
            raise error
        return Measured(
            result=outcome["result"],
            import_seconds=outcome["import_seconds"],
            seconds=time.monotonic() - start,
            cpu_seconds=ended.cpu_seconds,
            peak_memory=ended.peak_memory,
        )

    def end(self) -> None:
        """End the process if it still runs; nothing that it made is kept."""
        if self._task >= 0:
            os.close(self._task)  # a process that waits for its task ends with this
            if self._ended is None and self._pid is not None:
                self._kill()
                self._wait()
            os.close(self._events)
            self._report.close()
            self._task = -1

    def _follow(self, progress: Progress) -> dict[str, Any] | None:
        """Pass on the progress until there is an outcome; None if the process ends without one."""
        text = b""
        while True:
            self._watch_memory()
            chunk = os.read(self._events, 1 << 16)
            *lines, text = (text + chunk).split(b"\n")
            for line in lines:
                event: dict[str, Any] = json.loads(line)
                if "progress" not in event:
                    return event
                progress(*event["progress"])
            if not chunk:
                return None

    def _watch_memory(self) -> None:
        """Wait for the next event, and meanwhile end a process that goes beyond its limit."""
        while self.memory_limit is not None and not select.select([self._events], [], [], _LOOK_AT_MEMORY_EVERY)[0]:
            if _resident(self._number()) > self.memory_limit:
                self._kill()
                return

    def _number(self) -> int:
        if self._pid is None:
            self._pid = int(self._report.readline() or -1)
        return self._pid

    def _kill(self) -> None:
        """Kill the process and whatever a library may have started in its session."""
        if self._number() > 0:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._number(), signal.SIGKILL)

    def _wait(self) -> _End:
        """Wait for the server's report; where the server itself was killed there is none."""
        self._number()
        status, user, system, peak = (self._report.readline() or f"{signal.SIGKILL} 0 0 0").split()
        unit = 1 if sys.platform == "darwin" else 1024
        code = os.waitstatus_to_exitcode(int(status))
        self._ended = _End(code, float(user) + float(system), int(peak) * unit)
        return self._ended

    def _give(self, message: Any) -> None:
        """Send a pickle; the pipe stays open, for its end tells the child that the parent is gone."""
        content = memoryview(pickle.dumps(message))
        with contextlib.suppress(BrokenPipeError):
            while content:
                content = content[os.write(self._task, content) :]

    def _died(self, stage: str, ended: _End) -> StageError:
        if ended.code == -signal.SIGKILL:
            used = f"{ended.peak_memory / 2**20:.0f} MB"
            if self.memory_limit is not None and ended.peak_memory > self.memory_limit:
                message = f"{stage} used {used}, more than the {self.memory_limit / 2**20:.0f} MB that one job has"
                return OutOfMemoryError(
                    message, hint="Run fewer jobs at once: --jobs 1 leaves all memory to each stage."
                )
            message = f"{stage} was killed after using {used}, most likely because memory ran out"
            return OutOfMemoryError(message, hint="Free some memory and run again: finished stages are kept.")
        how = f"by signal {signal.Signals(-ended.code).name}" if ended.code < 0 else f"with exit code {ended.code}"
        message = f"{stage} ended {how} and left no result"
        return StageError(message)


def _resident(pid: int) -> int:
    """Resident memory of a process in bytes; 0 when it is gone."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (OSError, IndexError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


_TYPES: Mapping[str, Callable[..., OvrunError]] = {
    "SourceError": SourceError,
    "StageError": StageError,
    "AccuracyError": AccuracyError,
}


def rebuild(error: Mapping[str, Any], stage: str, log: Path) -> OvrunError:
    """The exception that a child described."""
    if error["type"] in _TYPES:
        return _TYPES[error["type"]](error["message"], hint=error["hint"])
    if "problems" in error:
        return RecipeError([Problem(**problem) for problem in error["problems"]], hint=error["hint"])
    if error["type"] == "OSError" and error["errno"] in (errno.ENOSPC, errno.EROFS, errno.EDQUOT):
        return cannot_write(log.parent, OSError(error["errno"], os.strerror(error["errno"])))
    if error["type"] == "MemoryError":
        message = f"{stage} ran out of memory"
        return OutOfMemoryError(message)
    first = (error["message"].strip().splitlines() or ["no message"])[0]
    message = f"{stage} failed: {error['type']}: {first}"
    return StageError(message)
