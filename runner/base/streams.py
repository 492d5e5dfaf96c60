"""Standard output and error: the only place that writes to them, and what happens when they can't be written to.

A reader that went away (`| head -1`), a full disk or a closed terminal does not stop the work: what can't be written is
dropped, and `finish` says so at the end, unless it was the reader's own wish.
"""

from __future__ import annotations

import codecs
import contextlib
import errno
import io
import os
import sys
from collections.abc import Iterator
from typing import TextIO

from runner.base import safe
from runner.errors import without_secrets

_PLAIN = {"✓": "+", "✗": "x", "○": "o", "·": "-", "…": "...", "→": "->", "≤": "<=", "≥": ">="}
"""What ovrun's own signs are on a terminal that does not have them."""


class Steady(io.TextIOWrapper):
    """A text stream that never fails: after its first failure, which it keeps, it leads nowhere."""

    failure: OSError | None = None

    def write(self, text: str) -> int:
        """Write text, if it still leads somewhere."""
        with self._kept():
            super().write(text)
        return len(text)

    def flush(self) -> None:
        """Flush it."""
        with self._kept():
            super().flush()

    @contextlib.contextmanager
    def _kept(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            self.failure = self.failure or error
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self.fileno())
            os.close(nowhere)


class Log(Steady):
    """A stream that is a log: without secrets of the environment, and harmless for a terminal that shows it."""

    def write(self, text: str) -> int:
        """Write text, whose carriage returns begin new lines."""
        super().write(safe.terminal(without_secrets(text.replace("\r\n", "\n").replace("\r", "\n"))))
        return len(text)


def keep_log() -> None:
    """Make standard output and error of a process streams of its log; before a library keeps either of them."""
    for name in ("stdout", "stderr"):
        setattr(
            sys, name, Log(getattr(sys, name).buffer, encoding="utf-8", errors="backslashreplace", write_through=True)
        )


def settle() -> None:
    """Make the process's streams steady: once, before anything else is opened.

    A closed standard stream is opened to nowhere, so that no file gets its number and a library's chatter with it.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    codecs.register_error("ovrun", _replaced)
    sys.stdout, sys.stderr = _steady(sys.stdout, 1), _steady(sys.stderr, 2)
    for name in ("COLUMNS", "LINES"):
        if not os.environ.get(name, "0").isdecimal() or not os.environ.get(name, "0").isascii():
            del os.environ[name]


def _steady(stream: TextIO | None, number: int) -> Steady:
    if stream is None:
        return Steady(open(number, "wb", closefd=False), encoding="utf-8", errors="ovrun")
    line_buffering = stream.isatty() or number == 2
    return Steady(stream.buffer, encoding=stream.encoding, errors="ovrun", line_buffering=line_buffering)


def _replaced(error: UnicodeError) -> tuple[str | bytes, int]:
    """What an encoding does not have: a plain sign for ovrun's own, else an escape."""
    assert isinstance(error, UnicodeEncodeError)
    text = error.object[error.start : error.end]
    return "".join(_PLAIN.get(sign) or sign.encode("ascii", "backslashreplace").decode() for sign in text), error.end


def finish(code: int) -> int:
    """The exit code of the process: 5 instead of 0 where standard output could not be written."""
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    failure = getattr(sys.stdout, "failure", None)
    if failure is None or failure.errno == errno.EPIPE:
        return code
    tell(f"error: standard output can't be written: {failure.strerror}")
    return code or 5


def put(text: str, end: str = "\n") -> None:
    """Write text to standard output, harmless for a terminal."""
    print(safe.terminal(text), end=end)


def put_json(document: object, *, indent: int | None = 2) -> None:
    """Write a document to standard output."""
    utf8 = (getattr(sys.stdout, "encoding", None) or "utf-8").lower().replace("-", "") == "utf8"
    print(safe.json_text(document, indent=indent, ascii_only=not utf8), flush=indent is None)


def put_data(text: str) -> None:
    """Write a file's content to standard output as it is, unless that is a terminal."""
    print(safe.terminal(text) if sys.stdout.isatty() else safe.encodable(text), end="")


def tell(text: str) -> None:
    """Write text to standard error, harmless for a terminal."""
    if sys.stderr is not None:
        print(safe.terminal(text), file=sys.stderr)


def passing(text: str) -> None:
    """Show a line on standard error that the next one replaces, and an empty one takes back; only on a terminal."""
    if sys.stderr is not None and sys.stderr.isatty():
        print(f"\r\x1b[K{safe.line(text)}", end="", file=sys.stderr, flush=True)
