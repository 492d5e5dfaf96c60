"""How a stage's process can fail, in words: it can't be started, it died, or it said what was wrong."""

from __future__ import annotations

import errno
import math
import os
import signal
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from runner.base import trouble
from runner.errors import AccuracyError, OvrunError, Problem, RecipeError, SourceError, StageError
from runner.store import cannot_write

_LIMITS = {
    errno.EMFILE: "Allow more open files (`ulimit -n`), and run again: finished stages are kept.",
    errno.ENFILE: "Too many files are open on this machine; end some programs, and run again.",
    errno.EAGAIN: "Allow more processes (`ulimit -u`) or end some, and run again: finished stages are kept.",
    errno.ENOMEM: "Free some memory and run again: finished stages are kept.",
}
_UNWRITABLE = (errno.ENOSPC, errno.EROFS, errno.EDQUOT, errno.EFBIG)
_MORE_MEMORY = (
    "Free some memory, or allow more of it where it is limited (`ulimit -v`), and run again: finished stages are kept."
)
_SPENT: Mapping[int | None, tuple[str, str]] = {
    getattr(signal, "SIGXCPU", None): (
        "used all the CPU time that a process may (`ulimit -t`)",
        "Allow more CPU time (`ulimit -t unlimited`), and run again: finished stages are kept.",
    ),
    getattr(signal, "SIGXFSZ", None): (
        "made a file larger than files may be (`ulimit -f`)",
        "Allow larger files (`ulimit -f unlimited`), and run again: finished stages are kept.",
    ),
}
"""Signals that tell of a limit: what was done, and what would help."""


_CRASHES = frozenset({signal.SIGABRT, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGSEGV})
"""Signals by which a library's own mistake ends its process."""


class OutOfMemoryError(StageError):
    """A stage took more memory than there was for it."""


class ServerGoneError(StageError):
    """The fork server ended while a stage ran or was to start; a new server can run the stage anew."""

    def __init__(self, exit_code: int | None) -> None:
        message = f"the process that starts stages (the fork server) {ended(exit_code)}"
        super().__init__(message, hint="Run again: finished stages are kept.")


def cannot_start(error: OSError, log: Path) -> StageError:
    """The error of a process that could not be started: a limit was reached, or its log can't be written."""
    if error.errno not in _LIMITS:
        return cannot_write(log.parent, error)
    message = f"no process can be started for a stage: {os.strerror(error.errno)}"
    return StageError(message, hint=_LIMITS[error.errno])


def died(
    stage: str, code: int, cpu_seconds: float, peak_memory: int, limit: int | None, source: Path | None = None
) -> StageError | SourceError:
    """The error of a process that left no result.

    Args:
        code: negative for a signal.
        peak_memory: bytes.
        limit: bytes that the process may use, if they are limited.
        source: the model, as its framework saved it, that the process read: libraries crash over damaged ones.
    """
    if code == -signal.SIGKILL and cpu_seconds >= _most_cpu_seconds():  # the hard limit's signal is the same
        code = -signal.SIGXCPU
    if -code in _SPENT:
        what, hint = _SPENT[-code]
        message = f"{stage} was ended, for it had {what}"
        return StageError(message, hint=hint)
    if code == -signal.SIGKILL:
        used = f"{peak_memory / 2**20:.0f} MB"
        if limit is not None and peak_memory > limit:
            message = f"{stage} used {used}, more than the {limit / 2**20:.0f} MB that one job has"
            return OutOfMemoryError(message, hint="Run fewer jobs at once: --jobs 1 leaves all memory to each stage.")
        message = f"{stage} was killed after using {used}, most likely because memory ran out"
        return OutOfMemoryError(message, hint="Free some memory and run again: finished stages are kept.")
    if source is not None and -code in _CRASHES:
        message = f"{source}: cannot be converted: the library that reads it crashed ({signal.Signals(-code).name})"
        hint = "It may be damaged, or of a kind that the installed libraries cannot convert; the log says more."
        return SourceError(message, hint=hint)
    message = f"{stage} {ended(code)} and left no result"
    return StageError(message)


def _most_cpu_seconds() -> float:
    """What a process may use, a little less for the rounding of clocks."""
    try:
        import resource
    except ImportError:
        return math.inf
    _, most = resource.getrlimit(resource.RLIMIT_CPU)
    return math.inf if most == resource.RLIM_INFINITY else most - 0.5


def ended(code: int | None) -> str:
    """How a process ended, by its exit code; None where that is not known."""
    if code is None:
        return "ended"
    spent = f", for it had {_SPENT[-code][0]}" if -code in _SPENT else ""
    return f"ended by signal {signal.Signals(-code).name}{spent}" if code < 0 else f"ended with exit code {code}"


_TYPES: Mapping[str, Callable[..., OvrunError]] = {
    "SourceError": SourceError,
    "StageError": StageError,
    "AccuracyError": AccuracyError,
}


def raised(error: BaseException, stage: str, log: Path) -> OvrunError:
    """The error of a stage whose process could not be led: what was raised is the machine's, or a library's."""
    kind = "OSError" if isinstance(error, OSError) else type(error).__name__
    place, number = getattr(error, "filename", None), getattr(error, "errno", None)
    return rebuild({"type": kind, "message": str(error), "errno": number, "place": place, "hint": None}, stage, log)


def rebuild(error: Mapping[str, Any], stage: str, log: Path) -> OvrunError:
    """The exception that a child described."""
    if error["type"] in _TYPES:
        return _TYPES[error["type"]](error["message"], hint=error["hint"])
    if "problems" in error:
        return RecipeError([Problem(**problem) for problem in error["problems"]], hint=error["hint"])
    if error["type"] == "OSError" and error["errno"] in _UNWRITABLE:
        return cannot_write(log.parent, OSError(error["errno"], os.strerror(error["errno"]), error.get("place")))
    if error["type"] == "OSError" and error["errno"] in _LIMITS:
        message = f"{stage} failed: {error['message']}"
        return StageError(message, hint=_LIMITS[error["errno"]])
    if error["type"] == "MemoryError" or trouble.tells_of_memory(error["message"]):
        message = f"{stage} ran out of memory"
        return OutOfMemoryError(message, hint=_MORE_MEMORY)
    first = (error["message"].strip().splitlines() or ["no message"])[0]
    message = f"{stage} failed: {error['type']}: {first}"
    return StageError(message)


class NotRunError(StageError):
    """A stage that did not run, for what it needs failed, or because the run was given up.

    Attributes:
        cause: the error of the stage that failed.
        given_up: whether it could have run.
    """

    def __init__(self, message: str, *, cause: OvrunError, given_up: bool = False) -> None:
        super().__init__(message, hint=cause.hint)
        self.given_up = given_up
        self.cause: OvrunError = cause.cause if isinstance(cause, NotRunError) else cause
        self.log = cause.log
