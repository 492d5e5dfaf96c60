"""One stage in a process of its own: start it, follow its events, measure it, end it.

A fresh process makes a stage's output independent of what ran before it (OpenVINO numbers its nodes by process),
keeps library chatter off the console, gives the exact peak memory, and frees everything at its end.
"""

from __future__ import annotations

import contextlib
import json
import os
import pickle
import select
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from runner.base.progress import Progress
from runner.engine.failures import ServerGoneError, cannot_start, died, rebuild
from runner.engine.forkclient import ForkServer
from runner.errors import OvrunError
from runner.stages import Task, template

_LOOK_AT_MEMORY_EVERY_MS = 100


@dataclass(frozen=True)
class Measured:
    """What a stage told and what it cost: seconds of wall and CPU time, peak resident memory in bytes.

    `import_seconds` went into loading libraries; for all but a run's first stage, while the stage before still ran.
    """

    result: dict[str, object]
    import_seconds: float
    seconds: float
    cpu_seconds: float
    peak_memory: int

    def __add__(self, rest: Measured) -> Measured:
        """With the rest of the stage, which ran when the process of its beginning had ended."""
        return Measured(
            result={**self.result, **rest.result},
            import_seconds=self.import_seconds + rest.import_seconds,
            seconds=self.seconds + rest.seconds,
            cpu_seconds=self.cpu_seconds + rest.cpu_seconds,
            peak_memory=max(self.peak_memory, rest.peak_memory),
        )


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
        params: object,
        log: Path,
        memory_limit: int | None = None,
    ) -> None:
        self.server, self.module = server, module
        self.log = log
        self.memory_limit = memory_limit
        self._pid: int | None = None
        self._refused = 0
        self._ended: _End | None = None
        self.template = template(module, params)
        try:
            with contextlib.ExitStack() as failed, contextlib.ExitStack() as theirs:
                task, self._task = _pipe(theirs, failed)
                self._events, events = _pipe(failed, theirs)
                report, reporting = _pipe(failed, theirs)
                stream = theirs.enter_context(open_log(log))
                server.fork(self.template, [reporting, task, events, stream.fileno()])
                self._report = os.fdopen(report, "r")
                failed.pop_all()
        except ConnectionError as error:
            raise ServerGoneError(server.exit_code()) from error
        except OSError as error:
            raise cannot_start(error, log) from error
        self._give((module, params))

    def _heading(self, task: Task[object]) -> str:
        """The stage's name; of the rest of one that of its module."""
        _, ours, name = self.module.rpartition("runner.stages.")
        return name if ours else task.stage

    def run(self, task: Task[object], progress: Progress) -> Measured:
        """Run the task to its end.

        Raises:
            OvrunError: the stage's own, or a StageError; it names the log.
            OSError: the log can't be written.
            KeyboardInterrupt: passed on after the process has ended.
        """
        start = time.monotonic()
        try:
            with open_log(self.log) as stream:
                stream.write(f"\n--- {self._heading(task)} {time.strftime('%H:%M:%S')} ---\n".encode())
            self._give(task)
            outcome, end = self._outcome(progress)
            if outcome is None or "error" in outcome:
                raise rebuild(outcome["error"], task.stage, self.log) if outcome else self._died(task, end)
        except OvrunError as error:
            error.log = self.log
            raise
        finally:
            self.end()
        return Measured(
            result=outcome["result"],
            import_seconds=outcome["import_seconds"],
            seconds=time.monotonic() - start,
            cpu_seconds=end.cpu_seconds,
            peak_memory=end.peak_memory,
        )

    @property
    def was_used(self) -> bool:
        """Whether it has been ended: by its task, which is its only one, or by somebody who had no use for it."""
        return self._task < 0

    def end(self) -> None:
        """End the process if it still runs; nothing that it made is kept."""
        if self._task >= 0:
            os.close(self._task)  # a process that waits for its task ends with this
            self._task = -1
            if self._ended is None and self._pid is not None:
                self._kill()
                try:
                    self._wait()
                except ServerGoneError:  # nobody reports the end, but its pipe ends with it
                    while os.read(self._events, 1 << 16):
                        pass
            os.close(self._events)
            self._report.close()

    def _outcome(self, progress: Progress) -> tuple[dict[str, Any] | None, _End]:
        """What the process told at last, if it did, and how it ended.

        Raises:
            StageError: it could not be started, or the fork server is gone.
        """
        if not self._number():
            refused = self._refused or self.server.refusal(self.template)
            if refused:
                raise cannot_start(OSError(refused, os.strerror(refused)), self.log)
            raise ServerGoneError(self.server.exit_code())
        outcome = self._follow(progress)
        self._kill()
        return outcome, self._wait()

    def _follow(self, progress: Progress) -> dict[str, object] | None:
        """Pass on the progress until there is an outcome; None if the process ends without one."""
        text = b""
        for chunk in self._chunks():
            *lines, text = (text + chunk).split(b"\n")
            for line in lines:
                event: dict[str, Any] = json.loads(line)
                if "progress" not in event:
                    return event
                progress(*event["progress"])
        return None

    def _chunks(self) -> Iterator[bytes]:
        """What the process tells, until it has ended; one that goes beyond its memory limit is ended meanwhile."""
        poll = select.poll()
        poll.register(self._events, select.POLLIN)
        poll.register(self._report, select.POLLIN)
        wait = None if self.memory_limit is None else _LOOK_AT_MEMORY_EVERY_MS
        while True:
            ready = {descriptor for descriptor, _ in poll.poll(wait)}
            if self._events in ready:
                chunk = os.read(self._events, 1 << 16)
                if not chunk:
                    return
                yield chunk
            elif ready:
                self._wait()
                poll.unregister(self._report)
                wait = 0  # what it told before its end is there by now; others may hold the pipe open
            elif self._ended is not None:
                return
            elif self.memory_limit is not None and _resident(self._number()) > self.memory_limit:
                self._kill()

    def _number(self) -> int:
        """The number of the process; 0 if there is none."""
        if self._pid is None:
            pid, refused = (self._report.readline() or "0 0").split()
            self._pid, self._refused = int(pid), int(refused)
        return self._pid

    def _kill(self) -> None:
        """Kill the process and whatever a library may have started in its session."""
        pid = self._number()
        if pid > 0:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGKILL)
        if pid > 0 and self._ended is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)  # one that has just been forked leads no session yet

    def _wait(self) -> _End:
        """Wait for the server's report.

        Raises:
            ServerGoneError: there will be none.
        """
        if self._ended is None:
            self._number()
            line = self._report.readline()
            if not line:
                raise ServerGoneError(self.server.exit_code())
            status, user, system, peak = line.split()
            unit = 1 if sys.platform == "darwin" else 1024
            code = os.waitstatus_to_exitcode(int(status))
            self._ended = _End(code, float(user) + float(system), int(peak) * unit)
        return self._ended

    def _died(self, task: Task[object], end: _End) -> OvrunError:
        source = task.inputs.get("source")
        return died(task.stage, end.code, end.cpu_seconds, end.peak_memory, self.memory_limit, source)

    def _give(self, message: object) -> None:
        """Send a pickle; the pipe stays open, for its end tells the child that the parent is gone."""
        content = memoryview(pickle.dumps(message))
        with contextlib.suppress(BrokenPipeError):
            while content:
                content = content[os.write(self._task, content) :]


def open_log(path: Path) -> IO[bytes]:
    """A log, to be written at its end; its folder is made again if somebody removed it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return path.open("ab", buffering=0)


def _pipe(reading: contextlib.ExitStack, writing: contextlib.ExitStack) -> tuple[int, int]:
    """A pipe whose ends are closed with those who own them."""
    ends = os.pipe()
    for owner, end in zip((reading, writing), ends, strict=True):
        owner.callback(os.close, end)
    return ends


def _resident(pid: int) -> int:
    """Resident memory of a process in bytes; 0 when it is gone."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (OSError, IndexError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")
