"""How a command answers: text for a person, only what a script needs, or JSON for a program.

A command is handed one of the three forms and never asks which; all that differs between them is here.
"""

from __future__ import annotations

import shutil
import sys
from abc import ABC, abstractmethod
from argparse import Namespace
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, TypeVar

from runner.base import safe, streams
from runner.errors import OvrunError, RecipeError

if TYPE_CHECKING:
    from pathlib import Path

    from runner.recipe.types import Recipe, Sweep
    from runner.run.outcome import Display, RunDisplay

Found = TypeVar("Found")


class Output(ABC):
    """Handed to a command, which gives what it has to say to every form; each takes of it what its readers need."""

    @property
    def width(self) -> int | None:
        """How many characters a line has room for; None where the answer goes elsewhere than to a terminal."""
        return shutil.get_terminal_size().columns if sys.stdout.isatty() else None

    @abstractmethod
    def say(self, text: Iterable[str], quiet: Iterable[str] = ()) -> None:
        """Lines for a person, the few of them that a script needs, and none for a program."""

    def answer(self, document: object, text: Iterable[str], quiet: Iterable[str] = ()) -> None:
        """Answer by a document for programs, by lines for a person, or by the few lines that a script needs."""
        self.say(text, quiet)

    def content(self, document: object, text: str) -> None:
        """Answer by a document for programs, or by a file's content."""
        self.data(text)

    def either(self, brief: Callable[[], Found], whole: Callable[[], Found]) -> Found:
        """What a person has an eye for, or the whole of it for a program; only that one is looked for."""
        return brief()

    @abstractmethod
    def passing(self, text: str) -> None:
        """How far a long work is, as a line that the next one replaces, and an empty one takes back."""

    @abstractmethod
    def run(self, recipe: Recipe) -> RunDisplay:
        """What shows the run of one recipe, which begins now, and what came of it."""

    @abstractmethod
    def stages(self, recipe: Recipe) -> Display:
        """What shows such a run alone, of which something else is told afterwards."""

    @abstractmethod
    def sweep(self, sweep: Sweep) -> Display:
        """What shows a sweep."""

    @abstractmethod
    def after_sweep(self, name: str, outputs: Path) -> None:
        """What is shown of all that `outputs` holds once a sweep is over."""

    def lines(self, lines: Iterable[str]) -> None:
        """Lines in every form, as they are: what is in one stays in one."""
        for line in lines:
            streams.put(safe.line(line))

    def data(self, text: str) -> None:
        """A file's content, for whom standard output stands for the file."""
        streams.put_data(text)

    def warn(self, text: str) -> None:
        """Something that is worth knowing beside the answer, on standard error."""
        streams.tell(safe.line(text))

    def damaged(self, sentences: Iterable[str]) -> None:
        """What was found of versions that a run came upon."""
        for sentence in sentences:
            self.warn(f"warning: {sentence}; it is marked as damaged")

    def failed(self, error: OvrunError) -> None:
        """What went wrong, on standard error."""
        problems = _problems(error)
        for problem in problems:
            streams.tell(safe.line(f"error: {problem}"))
        if not problems:
            streams.tell(_indented(f"error: {error.message}"))
        if error.hint:
            streams.tell(f"\n{_indented(f'hint: {error.hint}')}")
        if error.log:
            streams.tell(f"\n{safe.line(f'log: {error.log}')}")

    def ended(self, error: OvrunError) -> None:
        """Why a command did not come to its end, which is its answer."""
        self.failed(error)


class Text(Output):
    """For a person."""

    def say(self, text: Iterable[str], quiet: Iterable[str] = ()) -> None:
        """All lines."""
        self.lines(text)

    def passing(self, text: str) -> None:
        """Only on a terminal."""
        streams.passing(text)

    def run(self, recipe: Recipe) -> RunDisplay:
        """A line a stage, and a last block."""
        from runner.report.console import RunConsole, make_console

        console = RunConsole(make_console(), recipe)
        console.heading()
        return console

    def stages(self, recipe: Recipe) -> Display:
        """A line a stage."""
        from runner.report.console import StagesConsole, make_console

        console = StagesConsole(make_console(), recipe)
        console.heading()
        return console

    def sweep(self, sweep: Sweep) -> Display:
        """A live table on a terminal, lines elsewhere."""
        from runner.report.console import make_console
        from runner.report.sweep_console import SweepConsole

        return SweepConsole(make_console(), sweep)

    def after_sweep(self, name: str, outputs: Path) -> None:
        """Its table, and the page of all."""
        from runner.report.make import after_sweep

        after_sweep(name, outputs, self)


class Quiet(Output):
    """For a script: only what it needs."""

    def say(self, text: Iterable[str], quiet: Iterable[str] = ()) -> None:
        """The few lines."""
        self.lines(quiet)

    def run(self, recipe: Recipe) -> RunDisplay:
        """The folder of what was made."""
        from runner.report.displays import FolderOfRun

        return FolderOfRun(self)

    def stages(self, recipe: Recipe) -> Display:
        """Nothing."""
        from runner.report.displays import Unshown

        return Unshown()

    def sweep(self, sweep: Sweep) -> Display:
        """The folder of each version."""
        from runner.report.displays import FoldersOfSweep

        return FoldersOfSweep(self)

    def passing(self, text: str) -> None: ...

    def after_sweep(self, name: str, outputs: Path) -> None: ...


class Json(Output):
    """For a program: one document, and of a sweep an event a line."""

    def say(self, text: Iterable[str], quiet: Iterable[str] = ()) -> None:
        """Nothing: all is in the document."""

    def answer(self, document: object, text: Iterable[str], quiet: Iterable[str] = ()) -> None:
        """The document."""
        streams.put_json(document)

    def content(self, document: object, text: str) -> None:
        """The document."""
        streams.put_json(document)

    def either(self, brief: Callable[[], Found], whole: Callable[[], Found]) -> Found:
        """The whole."""
        return whole()

    def run(self, recipe: Recipe) -> RunDisplay:
        """Nothing: the document is told at the end."""
        from runner.report.displays import Unshown

        return Unshown()

    def stages(self, recipe: Recipe) -> Display:
        """Nothing."""
        return self.run(recipe)

    def sweep(self, sweep: Sweep) -> Display:
        """An event a line."""
        from runner.report.displays import SweepEvents

        return SweepEvents()

    def passing(self, text: str) -> None: ...

    def after_sweep(self, name: str, outputs: Path) -> None: ...

    def ended(self, error: OvrunError) -> None:
        """As a document too."""
        self.failed(error)
        log, errors = error.log and str(error.log), _problems(error) or [error.message]
        told = {"status": "error", "exit_code": error.exit_code, "errors": errors, "hint": error.hint, "log": log}
        streams.put_json(told)


def first_output(words: Sequence[str]) -> Output:
    """The form of what is to be said before the options are read, as far as the bare words tell."""
    return Json() if "--json" in words else Text()


def output_of(arguments: Namespace) -> Output:
    """The form that the options ask for."""
    if getattr(arguments, "json", False):
        return Json()
    return Quiet() if getattr(arguments, "quiet", False) else Text()


def _problems(error: OvrunError) -> list[str]:
    return [str(problem) for problem in error.problems] if isinstance(error, RecipeError) else []


def _indented(text: str) -> str:
    """A text whose further lines can't be taken for messages of their own."""
    return "\n  ".join(safe.line(line) for line in text.splitlines())
