"""How a command answers: text for a person, only what a script needs, or JSON for a program."""

from __future__ import annotations

import shutil
import sys
from argparse import Namespace
from collections.abc import Iterable
from typing import Any, Literal

from runner.base import safe, streams
from runner.errors import OvrunError, RecipeError

Form = Literal["text", "quiet", "json"]


class Output:
    """Handed to a command, which gives its answer in every form that it has; this one picks."""

    def __init__(self, form: Form = "text") -> None:
        self.form = form

    @classmethod
    def of(cls, arguments: Namespace) -> Output:
        """The form that the options ask for."""
        if getattr(arguments, "json", False):
            return cls("json")
        return cls("quiet" if getattr(arguments, "quiet", False) else "text")

    @property
    def width(self) -> int | None:
        """How many characters a line has room for; None where the answer goes elsewhere than to a terminal."""
        return shutil.get_terminal_size().columns if sys.stdout.isatty() else None

    def answer(self, document: Any, text: Iterable[str], quiet: Iterable[str] = ()) -> None:
        """Answer by a document for programs, by lines for a person, or by the few lines that a script needs."""
        if self.form == "json":
            streams.put_json(document)
        else:
            self.lines(text if self.form == "text" else quiet)

    def lines(self, lines: Iterable[str]) -> None:
        """Lines as they are: what is in one stays in one."""
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

    def failed(self, error: OvrunError, *, document: bool = False) -> None:
        """What went wrong, on standard error; with `document` it is also the answer to a program."""
        problems = [str(problem) for problem in error.problems] if isinstance(error, RecipeError) else []
        for problem in problems:
            streams.tell(safe.line(f"error: {problem}"))
        if not problems:
            streams.tell(_indented(f"error: {error.message}"))
        if error.hint:
            streams.tell(f"\n{_indented(f'hint: {error.hint}')}")
        if error.log:
            streams.tell(f"\n{safe.line(f'log: {error.log}')}")
        if document and self.form == "json":
            log, errors = error.log and str(error.log), problems or [error.message]
            told = {"status": "error", "exit_code": error.exit_code, "errors": errors, "hint": error.hint, "log": log}
            streams.put_json(told)


def _indented(text: str) -> str:
    """A text whose further lines can't be taken for messages of their own."""
    return "\n  ".join(safe.line(line) for line in text.splitlines())
