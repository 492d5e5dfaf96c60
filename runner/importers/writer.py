"""A draft -> YAML with a remark beside each key."""

from __future__ import annotations

import json
import math
import re
import textwrap
from collections.abc import Iterator

import yaml

from runner.base.values import listing, mapping
from runner.base.words import shorten
from runner.errors import Problem, RecipeError
from runner.importers.draft import PLACEHOLDER, Draft
from runner.recipe.origins import KeyPath
from runner.recipe.read import rawcheck, yamlfile
from runner.recipe.read.scalars import scalar

_WIDTH = 118
_LONGEST_REMARK = 2000
_PLAIN = re.compile(r"[A-Za-z_/][\w ./@+-]*[\w./]|[A-Za-z_]")


def write(draft: Draft) -> str:
    """The recipe as YAML text, which our own reader reads as what the draft holds.

    Raises:
        RecipeError: some of what was imported can't be part of a recipe.
    """
    lines = [line for text in _heading(draft) for line in _comment(text, 0)]
    for section, value in draft.config.items():
        lines += _remarks(draft, section)
        lines += _entry(draft, (section,), value, 0)
    lines += _remarks(draft, "", *{section for section, _ in draft.remarks} - {*draft.config, ""})
    text = "\n".join(lines) + "\n"
    _refuse_other(draft, text)
    return text


def _heading(draft: Draft) -> Iterator[str]:
    told = f"{draft.source.name}, {draft.kind}" if draft.source.name else draft.kind
    yield f"Imported by ovrun from {told}{':' if draft.command else '.'}"
    if draft.command:
        yield draft.command
    yield "A remark says where a value comes from; `unsupported:` says what was asked for there and is not done here."
    open_keys = sorted(_placeholders(draft.config))
    if open_keys:
        yield f"`{PLACEHOLDER}` has to be stated, here or on the command line: {', '.join(open_keys)}."


def _placeholders(value: object, at: str = "") -> Iterator[str]:
    if isinstance(value, dict | list):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _placeholders(item, f"{at}.{key}" if at else str(key))
    elif value == PLACEHOLDER:
        yield at


def _remarks(draft: Draft, *sections: str) -> list[str]:
    texts = [text for section, text in draft.remarks if section in sections]
    return [line for text in texts for line in _comment(text, 0)]


def _comment(text: str, indent: int) -> list[str]:
    wrapped = textwrap.wrap(_safe(text), _WIDTH - indent - 4, break_long_words=False, break_on_hyphens=False)
    return [" " * indent + ("# " if index == 0 else "#   ") + line for index, line in enumerate(wrapped)]


def _entry(draft: Draft, path: KeyPath, value: object, indent: int, lead: str | None = None) -> list[str]:
    """`key: value  # remark`, with the remark above where the line would be too long."""
    key = f"{_scalar(str(path[-1]))}:"
    start = (lead if lead is not None else " " * indent) + key
    nested = (isinstance(value, dict) and value) or _blocks(value)
    line = start if nested else f"{start} {flow(value)}"
    remark = _safe("; ".join(draft.comments.get(path, [])))
    above: list[str] = []
    if remark and len(line) + len(remark) + 4 <= _WIDTH:
        line += f"  # {remark}"
    elif remark:
        above = _comment(remark, indent)
        if lead is not None:
            above, line = [lead.rstrip() + " " + above[0].strip(), *above[1:]], " " * indent + line[len(lead) :]
    return [*above, line, *(_nested(draft, path, value, indent + 2) if nested else [])]


def _nested(draft: Draft, path: KeyPath, value: object, indent: int) -> list[str]:
    lines: list[str] = []
    if isinstance(value, dict):
        for key, item in value.items():
            lines += _entry(draft, (*path, key), item, indent)
        return lines
    for index, item in enumerate(listing(value)):
        lead: str | None = " " * indent + "- "
        for key, inner in mapping(item).items():
            lines += _entry(draft, (*path, index, key), inner, indent + 2, lead)
            lead = None
    return lines


def _blocks(value: object) -> bool:
    """Whether a list is written as a block: a list of mappings."""
    return isinstance(value, list) and bool(value) and all(isinstance(item, dict) and item for item in value)


def flow(value: object) -> str:
    """A value in one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_scalar(str(key))}: {flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(flow(item) for item in value) + "]"
    return _scalar(value)


def _scalar(value: object) -> str:
    """A key or a value as the YAML library writes it; a text that our reader would not take for itself in quotes."""
    if isinstance(value, str) and (value == PLACEHOLDER or (_PLAIN.fullmatch(value) and scalar(value) == value)):
        return value
    style = '"' if isinstance(value, str) else None
    written = yaml.safe_dump(value, default_style=style, width=math.inf, allow_unicode=True)
    return str(written).removesuffix("...\n").strip()


def _safe(text: str) -> str:
    """A remark as YAML takes it in a comment: one line, blanks for white space, escapes for what can't be printed."""
    shown = (" " if one.isspace() else one if one.isprintable() else ascii(one)[1:-1] for one in text)
    return shorten(" ".join("".join(shown).split()), _LONGEST_REMARK)


def _refuse_other(draft: Draft, text: str) -> None:
    """Read what was written, and let nothing pass that is not what was meant.

    Raises:
        RecipeError: it can't be read again, or is something else then.
    """
    path = draft.source.path.with_name("imported.yaml")
    try:
        file = yamlfile.parse(text, path)
        rawcheck.clean(file)
        told = [known.problem.what for known in file.problems]
        same = json.dumps(file.data) == json.dumps(draft.config) and len(text.encode()) <= yamlfile.MAX_BYTES
    except (RecipeError, UnicodeEncodeError) as error:
        told, same = [str(error).partition(": ")[2]], False
    if told or not same:
        why = told[0] if told else "it would be read as something else"
        what = f"can't be written as a recipe: {shorten(why)}"
        raise RecipeError([Problem(draft.source.at(()).where, "", what)])
