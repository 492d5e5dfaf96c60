"""One case: a folder, random numbers, the command line under watch, and what there is to complain of."""

from __future__ import annotations

import os
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.campaigns.watch import TOKEN, Watch

# The exit codes that `ovrun --help` names.
CODES = (0, 2, 3, 4, 5, 130)
NEVER = ("Traceback (most recent call last)", "mistake in ovrun")
Tell = Callable[[str, Any], None]


@dataclass(frozen=True)
class Outcome:
    """What a command line came to."""

    code: int | None
    out: str
    err: str
    seconds: float
    megabytes: float


@dataclass
class Trial:
    """One case of a campaign.

    Attributes:
        number: which one.
        random: its own random numbers.
        folder: its own empty folder, which is the current one.
        shared: what the campaign's `prepare` made; to be read only.
        canary: a file that only a planted payload would make.
    """

    number: int
    random: random.Random
    folder: Path
    shared: Path
    canary: Path
    watch: Watch
    tell: Tell
    seconds: float = 5
    complaints: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    slowest: float = 0
    largest: float = 0

    @property
    def payload(self) -> str:
        """Python code that gives itself away when it runs."""
        return f"open({str(self.canary)!r}, 'w').write('{TOKEN}')"

    def note(self, text: str) -> None:
        """Keep what was done, to be told if the case fails."""
        self.notes.append(text)
        self.tell("note", text)

    def complain(self, text: str) -> None:
        """The case failed, and why."""
        self.complaints.append(text)

    def run(
        self,
        *argv: str | os.PathLike[str],
        codes: Sequence[int] = CODES,
        reads: Sequence[Path] = (),
        writes: Sequence[Path] | None = None,
        starts: bool = False,
        seconds: float | None = None,
    ) -> Outcome:
        """Run ovrun in this process, and complain of whatever a user must never see.

        Args:
            argv: the words after `ovrun`.
            codes: the exit codes that are right here.
            reads: what may be read besides the case's folder, the shared one and the project.
            writes: what may be written (default: the case's folder).
            starts: whether processes and local sockets may be started, as `optimize` does.
            seconds: another limit than the campaign's.
        """
        words = [os.fspath(word) for word in argv]
        self.note("ovrun " + " ".join(f"{word!r:.200}" for word in words))
        writes = (self.folder,) if writes is None else writes
        self.tell("begin", seconds or self.seconds)
        _reset_peak()
        before, began = _peak(), time.monotonic()
        with _streams() as places:
            self.watch.begin((self.folder, self.shared, *reads), (*writes, Path(tempfile.gettempdir())), starts=starts)
            code, escaped = _called(words)
            _flush()
            broken = self.watch.end()
        out, err = (place.read_bytes().decode("utf-8", "replace") for place in places)
        outcome = Outcome(code, out, err, time.monotonic() - began, max(0, _peak() - before))
        self.tell("end", None)
        self.slowest, self.largest = max(self.slowest, outcome.seconds), max(self.largest, outcome.megabytes)
        self.complaints += [*escaped, *broken, *self._judge(outcome, codes)]
        return outcome

    def call(self, function: Callable[[], object], *, allowed: tuple[type[Exception], ...] = ()) -> float:
        """Call a part of ovrun itself under the same watch, and complain of any error but those; the growth in MB."""
        self.note(f"calls {function.__qualname__}")
        self.tell("begin", self.seconds)
        _reset_peak()
        before, began = _peak(), time.monotonic()
        self.watch.begin((self.folder, self.shared), (self.folder, Path(tempfile.gettempdir())), starts=False)
        try:
            with suppress(*allowed):
                function()
        except Exception as error:
            self.complain(f"{function.__qualname__} raised {error!r:.500}")
        self.complaints += self.watch.end()
        grown = max(0, _peak() - before)
        self.tell("end", None)
        self.slowest, self.largest = max(self.slowest, time.monotonic() - began), max(self.largest, grown)
        return grown

    def _judge(self, outcome: Outcome, codes: Sequence[int]) -> Iterator[str]:
        text = outcome.out + outcome.err
        for words in NEVER:
            if words in text:
                yield f"told {words!r}: …{text[max(0, text.find(words) - 300) :][:1500]}"
        if outcome.code is not None and outcome.code not in codes:
            yield f"exit code {outcome.code}, where {codes} are right: {outcome.err.strip()[:500]}"
        if outcome.code not in (0, 130, None) and not text.strip():
            yield f"exit code {outcome.code} without a word"
        if self.canary.exists():
            yield "a planted payload was executed"
            self.canary.unlink()


def _called(words: list[str]) -> tuple[int | None, list[str]]:
    """The exit code, and what escaped `main`."""
    from runner.cli import main

    try:
        return main(words), []
    except SystemExit as error:
        return error.code if isinstance(error.code, int) else int(bool(error.code)), []
    except BaseException as error:
        return None, [f"main raised {error!r:.500}"]


@contextmanager
def _streams() -> Iterator[tuple[Path, Path]]:
    """Standard output and error go to files, for libraries in C too; `main` may close them."""
    folder = Path(tempfile.gettempdir()).parent
    places = folder / "stdout", folder / "stderr"
    saved = [(os.dup(fd), fd) for fd in (1, 2)]
    streams = sys.stdout, sys.stderr
    for place, fd in zip(places, (1, 2), strict=True):
        target = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(target, fd)
        os.close(target)
    sys.stdout, sys.stderr = (open(fd, "w", encoding="utf-8", closefd=False) for fd in (1, 2))
    try:
        yield places
    finally:
        sys.stdout, sys.stderr = streams
        for copy, fd in saved:
            os.dup2(copy, fd)
            os.close(copy)


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()


def _reset_peak() -> None:
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def _peak() -> float:
    """The peak of this process's memory since the last reset, in MB."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1000
    return 0
