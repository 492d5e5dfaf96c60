"""Whatever a library meets while it reads a model is wrong with the model, but for a full disk."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from runner.base import trouble
from runner.errors import OvrunError, SourceError

_MET = "Exception:"
"""What OpenVINO writes before the message of what a trace met."""


@contextmanager
def damage(source: Path, out: Path) -> Iterator[None]:
    """Whatever a library meets while it reads a model is wrong with the model, but for a full disk."""
    try:
        yield
    except (OvrunError, OSError, MemoryError, KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # a panic of a library in Rust is no Exception
        if trouble.refused(out, error):
            raise
        if trouble.tells_of_memory(str(error)) and not is_small(source):
            raise MemoryError(str(error)) from error
        message = f"{source}: cannot be converted: {type(error).__name__}: {reason_of(error)}"
        hint = "It may be damaged, or of a kind that the installed libraries cannot convert; the log says more."
        raise SourceError(message, hint=hint) from error


def is_small(source: Path) -> bool:
    """Whether there is memory for a model many times over, so that only a damaged one can ask for more."""
    from runner.sources.file import files

    if trouble.memory_is_limited():
        return False
    free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return 8 * sum(path.stat().st_size for path in files(source).values()) < free


def reason_of(error: BaseException) -> str:
    """The last line of a library's message; OpenVINO's first ones say where in its sources it was.

    Of a trace that fails, its last ones are advice for who calls it; what the model's code met stands in their midst.
    """
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    if _MET in lines[:-1]:
        return lines[lines.index(_MET) + 1]
    return lines[-1] if lines else type(error).__name__
