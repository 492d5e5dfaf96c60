"""What a person hands over to be imported -> its values with their places: JSON with comments, YAML, or words."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from pathlib import Path

from runner.errors import Problem, UsageError
from runner.imports.draft import Source
from runner.recipe import yamlfile
from runner.recipe.origins import Origin, Origins, show_path

_TOKEN = re.compile(r'"(?:\\.|[^"\\])*"|//[^\n]*|/\*.*?\*/', re.DOTALL)
_COMMAND = re.compile(r"^\s*(?:[$>]\s+)?(?:\w+=\S*\s+)*(?:\S*/)?optimum-cli\b", re.MULTILINE)


def is_command(text: str) -> bool:
    """Whether a text holds a command line of optimum-cli."""
    return bool(_COMMAND.search(text))


def document(path: Path, text: str) -> Source:
    """The mapping in a JSON or YAML text.

    JSON may have comments, `//` and `/* */`, as NNCF's own loader allowed.

    Raises:
        RecipeError: it is neither.
    """
    if text.lstrip().startswith(("{", "//", "/*")):
        text = _without_comments(text)
    file = yamlfile.parse(text, path)
    return Source(path.name, path, file.data, file.origins, tuple(file.problems))


def _without_comments(text: str) -> str:
    """The text with blanks for its comments, so that places stay."""

    def blank(found: re.Match[str]) -> str:
        token = found[0]
        return token if token.startswith('"') else re.sub(r"[^\n]", " ", token)

    return _TOKEN.sub(blank, text)


def words(given: Sequence[str]) -> tuple[list[str], list[Origin], Path]:
    """The words of a command line that was given as arguments, with their places."""
    found = [*given]
    if len(found) == 1:
        found = _split(found[0], "command line")
    return found, [_place(f"command line: {word}", index) for index, word in enumerate(found)], Path("command")


def words_of_file(path: Path, text: str) -> tuple[list[str], list[Origin], Path]:
    """The words of a command line that a text file holds, with their places in it.

    Raises:
        UsageError: a quotation that does not end, or several commands.
    """
    first, *others = _COMMAND.finditer(text)
    start = text.rindex("optimum-cli", 0, first.end())
    shown = show_path(path)
    if others:
        line = text.count("\n", 0, others[0].end()) + 1
        raise UsageError([Problem(f"{shown}:{line}:1", "", "a second command", "a recipe is one; a file for each")])
    command = re.split(r"(?<!\\)\n", text[start:], maxsplit=1)[0]
    found = _split(command.replace("\\\n", "  "), shown)
    places, position = [], start
    for index, word in enumerate(found):
        spot = text.find(word, position)
        spot, position = (position, position) if spot < 0 else (spot, spot + len(word))
        line, column = text.count("\n", 0, spot) + 1, spot - (text.rfind("\n", 0, spot) + 1) + 1
        places.append(_place(f"{shown}:{line}:{column}", index, path.absolute().parent))
    return found, places, path


def _split(text: str, where: str) -> list[str]:
    try:
        return shlex.split(text, comments=True)
    except ValueError as error:
        raise UsageError([Problem(where, "", f"not a command line: {error}")]) from error


def _place(where: str, rank: int, folder: Path | None = None) -> Origin:
    return Origin(where, where, folder or Path.cwd(), (0, rank, 0))


def from_words(name: str, path: Path, origins: Origins) -> Source:
    """A source without values of its own."""
    return Source(name, path, {}, origins)
