"""What a person hands over to be imported -> its values with their places: JSON with comments, YAML, or words."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path

from runner.base.words import shorten
from runner.errors import Problem, UsageError
from runner.importers.draft import Source
from runner.recipe.origins import Origin, Origins, show_path
from runner.recipe.read import yamlfile

TOOL = "optimum-cli"
_LONGEST_COMMAND = 20_000
_MARK = re.compile(r'"|//|/\*')
_END_OF_TEXT = re.compile(r'(?:[^"\\]|\\.)*+"', re.DOTALL)


def is_command(text: str) -> bool:
    """Whether a text holds a command line of optimum-cli."""
    return next(_commands(text), None) is not None


def _commands(text: str) -> Iterator[int]:
    """Where commands of optimum-cli start: at the name of the tool, which only a prompt and settings stand before."""
    position = 0
    while (position := text.find(TOOL, position)) >= 0:
        start = text.rfind("\n", 0, position) + 1
        before = text[start : min(position, start + _LONGEST_COMMAND)].split()
        after = text[position + len(TOOL) : position + len(TOOL) + 2]
        ends = not after[:1].strip() or after == "\\\n"
        if ends and start + _LONGEST_COMMAND > position and _leads_to_tool(before, text[position - 1 : position]):
            yield position
        end = text.find("\n", position)
        position = end if end >= 0 else len(text)


def _leads_to_tool(before: list[str], last: str) -> bool:
    words = before[1:] if before[:1] in (["$"], [">"]) else before
    if last == "/":  # the folder of the tool
        words = words[:-1]
    elif last.strip():
        return False
    return all(re.match(r"\w+=", word) for word in words)


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
    """The text with blanks for its comments, so that places stay; each letter is looked at once."""
    pieces, position = [], 0
    while mark := _MARK.search(text, position):
        pieces.append(text[position : mark.start()])
        position = _end(text, mark)
        piece = text[mark.start() : position]
        pieces.append(piece if mark[0] == '"' else re.sub(r"[^\n]", " ", piece))
    return "".join([*pieces, text[position:]])


def _end(text: str, mark: re.Match[str]) -> int:
    """Where a text in quotes, or a comment, ends; one that does not end takes the rest."""
    if mark[0] == '"':
        found = _END_OF_TEXT.match(text, mark.end())
        return found.end() if found else len(text)
    closing = "\n" if mark[0] == "//" else "*/"
    end = text.find(closing, mark.end())
    return len(text) if end < 0 else end + (2 if closing == "*/" else 0)


def words(given: Sequence[str]) -> tuple[list[str], list[Origin], Path]:
    """The words of a command line that was given as arguments, with their places."""
    found = [*given]
    if len(found) == 1:
        found = _split(found[0], "command line")
    return found, [_place(f"command line: {shorten(word)}", index) for index, word in enumerate(found)], Path("command")


def words_of_file(path: Path, text: str) -> tuple[list[str], list[Origin], Path]:
    """The words of a command line that a text file holds, with their places in it.

    Raises:
        UsageError: a quotation that does not end, or several commands.
    """
    start, *others = _commands(text)
    shown = show_path(path)
    if others:
        where = _line_of(text, others[0], shown)
        raise UsageError([Problem(where, "", "a second command", "a recipe is one; a file for each")])
    command = re.split(r"(?<!\\)\n", text[start : start + _LONGEST_COMMAND + 1], maxsplit=1)[0]
    found = _split(command.replace("\\\n", "  "), _line_of(text, start, shown))
    places, position = [], start
    for index, word in enumerate(found):
        spot = text.find(word, position, start + len(command))
        spot, position = (position, position) if spot < 0 else (spot, spot + len(word))
        line, column = text.count("\n", 0, spot) + 1, spot - (text.rfind("\n", 0, spot) + 1) + 1
        places.append(_place(f"{shown}:{line}:{column}", index, path.absolute().parent))
    return found, places, path


def _line_of(text: str, position: int, shown: str) -> str:
    return f"{shown}:{text.count(chr(10), 0, position) + 1}:1"


def _split(text: str, where: str) -> list[str]:
    if len(text) > _LONGEST_COMMAND:
        what = f"a command line of more than {_LONGEST_COMMAND} letters"
        raise UsageError([Problem(where, "", what)])
    try:
        return shlex.split(text, comments=True)
    except ValueError as error:
        raise UsageError([Problem(where, "", f"not a command line: {error}")]) from error


def _place(where: str, rank: int, folder: Path | None = None) -> Origin:
    return Origin(where, where, folder or Path.cwd(), (0, rank, 0))


def from_words(name: str, path: Path, origins: Origins) -> Source:
    """A source without values of its own."""
    return Source(name, path, {}, origins)
