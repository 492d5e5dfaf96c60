"""The exceptions of ovrun and the exit code of each.

    OvrunError
    ├── RecipeError          2   the recipe is wrong: every problem found, each with its place
    │   └── UsageError       2   the command line is wrong
    ├── AccuracyError        3   the model was made, and missed a gate of its recipe
    ├── SourceError          4   a model or a dataset can't be had or can't be read
    └── StageError           5   a stage failed, or the outputs folder can't be written

An interrupt (Ctrl-C) ends with 130. Anything else that escapes is a bug of ovrun: exit code 5, with the
traceback in the log. Library exceptions are turned into these where they arise, with `raise … from`.
"""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

INTERRUPTED = 130


class OvrunError(Exception):
    """A message for the person who runs ovrun; it holds no secret of the environment, whatever a library said.

    Args:
        message: what is wrong and where, in one sentence.
        hint: what to do about it, shown after a blank line.

    Attributes:
        log: the file that holds the whole story, once there is one.
    """

    exit_code = 5
    log: Path | None = None

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        self.message = without_secrets(message)
        self.hint = hint and without_secrets(hint)
        super().__init__(self.message)


@dataclass(frozen=True)
class Problem:
    """One mistake in a recipe, worded `where: key: what; allowed (did you mean …)`.

    Attributes:
        where: `file:line:col`, or `command line` for a value given there.
        key: the dotted key, such as `compression.ratio`; empty where none applies.
        what: what is wrong.
        allowed: what is allowed there.
        suggestion: the nearest thing that would be right.
    """

    where: str
    key: str
    what: str
    allowed: str | None = None
    suggestion: str | None = None

    def __str__(self) -> str:
        text = f"{self.where}: {self.key}: {self.what}" if self.key else f"{self.where}: {self.what}"
        if self.allowed:
            text += f"; {self.allowed}"
        if self.suggestion:
            text += f" (did you mean {self.suggestion}?)"
        return text


class RecipeError(OvrunError):
    """One or more mistakes in a recipe; all that were found, in the order of their places."""

    exit_code = 2

    def __init__(self, problems: Iterable[Problem], *, hint: str | None = None) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems), hint=hint)


class UsageError(RecipeError):
    """The command line itself is wrong."""


class AccuracyError(OvrunError):
    """The optimized model missed a gate of its recipe; it was kept aside and not published."""

    exit_code = 3


class SourceError(OvrunError):
    """A model or a dataset can't be had (no such file, no network) or can't be read (truncated, wrong format)."""

    exit_code = 4


class StageError(OvrunError):
    """A stage failed, or what it made can't be written."""

    exit_code = 5


_SECRET_NAME = re.compile(r"TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIAL|API_?KEY|ACCESS_?KEY", re.IGNORECASE)
_SECRETS = re.compile(
    r"(?P<before>://)[^/\s@'\"]+(?=@)"
    r"|(?P<query>[?&](?:\w|-)*(?:token|secret|password|signature|credential|key)=)[^&\s'\"]+"
    r"|(?P<header>\b(?:Bearer|Basic) )[\w.~+/=-]{8,}"
    r"|\b(?:hf|api_org)_\w{16,}",
    re.IGNORECASE,
)
_SHORTEST_SECRET = 8


def without_secrets(text: str) -> str:
    """The text without passwords and tokens: those in addresses and headers, the hub's, and the environment's."""
    for value in _environment(tuple(os.environ.items())):
        text = text.replace(value, "***")
    return _SECRETS.sub(lambda match: f"{next(filter(None, match.groups()), '')}***", text)


@functools.lru_cache(maxsize=4)
def _environment(variables: tuple[tuple[str, str], ...]) -> list[str]:
    """The values of variables that are named like secrets, the longest first."""
    values = {value for name, value in variables if _SECRET_NAME.search(name) and len(value) >= _SHORTEST_SECRET}
    return sorted(values, key=len, reverse=True)
