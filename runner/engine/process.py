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
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runner.errors import OvrunError, Problem, RecipeError, SourceError, StageError
from runner.stages import Progress, Task
from runner.store import cannot_write

_QUIET = {
    "NNCF_CI": "1",
    "DO_NOT_TRACK": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "OPENBLAS_NUM_THREADS": "1",
    "MALLOC_MMAP_THRESHOLD_": str(32 << 20),  # glibc: weights of the next layer take the pages of the last one's
    "MALLOC_TRIM_THRESHOLD_": str(256 << 20),
    "PYTHONHASHSEED": "0",
    "PYTHONUNBUFFERED": "1",
    "NO_COLOR": "1",
}


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


class StageProcess:
    """A process for one stage. It imports what the stage needs as soon as it starts, and runs one task."""

    def __init__(self, stage: str, params: Mapping[str, Any], log: Path) -> None:
        self.stage = stage
        self.log = log
        with log.open("ab", buffering=0) as stream:
            self.child = subprocess.Popen(
                [sys.executable, "-m", "runner.engine.child"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stream,
                env={**os.environ, **_QUIET},
                start_new_session=True,
            )
        self._give((stage, dict(params)))

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
            outcome = _follow(self.child, progress)
            if outcome is not None:
                self._kill()
            status, usage = _wait(self.child)
        finally:
            self.end()
        peak = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
        if outcome is None or "error" in outcome:
            error = rebuild(outcome["error"], self.stage, self.log) if outcome else _died(self.stage, status, peak)
            error.log = self.log
            raise error
        return Measured(
            result=outcome["result"],
            import_seconds=outcome["import_seconds"],
            seconds=time.monotonic() - start,
            cpu_seconds=usage.ru_utime + usage.ru_stime,
            peak_memory=peak,
        )

    def end(self) -> None:
        """End the process if it still runs; nothing that it made is kept."""
        if self.child.returncode is None:
            self._kill()
            self.child.wait()
        for pipe in (self.child.stdin, self.child.stdout):
            if pipe:
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()

    def _kill(self) -> None:
        """Kill the process and whatever a library may have started in its session, before its exit is read."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.child.pid, signal.SIGKILL)

    def _give(self, message: Any) -> None:
        """Send a pickle; the pipe stays open, for its end tells the child that the parent is gone."""
        assert self.child.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            pickle.dump(message, self.child.stdin)
            self.child.stdin.flush()


def _follow(child: subprocess.Popen[bytes], progress: Progress) -> dict[str, Any] | None:
    """Pass on the progress until there is an outcome; None if the child ends without one."""
    assert child.stdout is not None
    for line in child.stdout:
        event: dict[str, Any] = json.loads(line)
        if "progress" not in event:
            return event
        progress(*event["progress"])
    return None


def _wait(child: subprocess.Popen[bytes]) -> tuple[int, resource.struct_rusage]:
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    return child.returncode, usage


def _died(stage: str, status: int, peak: int) -> StageError:
    if status == -signal.SIGKILL:
        message = f"{stage} was killed after using {peak / 2**20:.0f} MB, most likely because memory ran out"
        return StageError(message, hint="Free some memory and run again: finished stages are kept.")
    how = f"by signal {signal.Signals(-status).name}" if status < 0 else f"with exit code {status}"
    message = f"{stage} ended {how} and left no result"
    return StageError(message)


def rebuild(error: Mapping[str, Any], stage: str, log: Path) -> OvrunError:
    """The exception that a child described."""
    if error["type"] == "SourceError":
        return SourceError(error["message"], hint=error["hint"])
    if error["type"] == "StageError":
        return StageError(error["message"], hint=error["hint"])
    if "problems" in error:
        return RecipeError([Problem(**problem) for problem in error["problems"]], hint=error["hint"])
    if error["type"] == "OSError" and error["errno"] in (errno.ENOSPC, errno.EROFS, errno.EDQUOT):
        return cannot_write(log.parent, OSError(error["errno"], os.strerror(error["errno"])))
    if error["type"] == "MemoryError":
        message = f"{stage} ran out of memory"
        return StageError(message)
    first = (error["message"].strip().splitlines() or ["no message"])[0]
    message = f"{stage} failed: {error['type']}: {first}"
    return StageError(message)
