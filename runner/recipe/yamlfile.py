"""One YAML file -> plain values with the place of each, safely: YAML 1.2's scalars, limits on size, depth and aliases.

Built from libyaml's events rather than its nodes: composing nodes of deeply nested text overflows the C stack, and
an alias bomb has to be stopped while it unfolds.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from runner.errors import Problem, RecipeError
from runner.recipe.origins import Found, KeyPath, Origin, Origins, forget, found, show_path

MAX_BYTES = 1 << 20
MAX_VALUES = 5000
MAX_DEPTH = 40

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_INT = re.compile(r"[-+]?[0-9]{1,18}|0o[0-7]{1,18}|0x[0-9a-fA-F]{1,16}")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_WORDS = {"": None, "~": None, "null": None, "Null": None, "NULL": None}
_WORDS |= {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}  # type: ignore[dict-item]
_PACKAGE = re.compile(r"#\s*@package\s+(\S+)\s*$")


@dataclass
class YamlFile:
    """A file's values.

    Attributes:
        data: the top mapping.
        origins: the place of every value in it; `()` stands for the file.
        package: where Hydra puts it (`# @package …` in the comments at its top), or None.
        problems: mistakes that don't keep it from being read, with their keys.
    """

    path: Path
    data: dict[str, Any]
    origins: Origins
    package: str | None = None
    problems: list[Found] = field(default_factory=list)


def read(path: Path, rank: int = 0) -> YamlFile:
    """Read one YAML file; `rank` orders its places among those of other files.

    Raises:
        RecipeError: it can't be read or is not UTF-8, not YAML, empty, no mapping, or too large for a recipe.
    """
    return parse(decode(path), path, rank)


def parse(text: str, path: Path, rank: int = 0) -> YamlFile:
    """As `read`, from a text; `path` is what messages name."""
    builder = _Builder(path, rank)
    try:
        data = builder.document(yaml.parse(text, Loader=_LOADER))
    except yaml.YAMLError as error:
        raise RecipeError([_syntax(path, text, error)]) from error
    return YamlFile(path, data, builder.origins, _package(text), builder.problems)


def scalar(text: str) -> Any:
    """A plain scalar's value by YAML 1.2's core schema: `on`, `12:30` and dates are text."""
    if text in _WORDS:
        return _WORDS[text]
    if _INT.fullmatch(text):
        return int(text, {"0o": 8, "0x": 16}.get(text[:2], 10))
    if _FLOAT.fullmatch(text):
        return float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))
    return text


def _fail(path: Path, what: str, *, line: int = 1, column: int = 1, allowed: str | None = None) -> RecipeError:
    return RecipeError([Problem(f"{show_path(path)}:{line}:{column}", "", what, allowed)])


def decode(path: Path) -> str:
    """The text of a file in UTF-8.

    Raises:
        RecipeError: it can't be read, is too large, or not UTF-8.
    """
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise _fail(path, f"can't be read: {error.strerror}") from error
    if len(raw) > MAX_BYTES:
        raise _fail(path, f"{len(raw)} bytes are too many for a recipe", allowed=f"at most {MAX_BYTES}")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = raw[: error.start]
        line, column = before.count(b"\n") + 1, error.start - (before.rfind(b"\n") + 1) + 1
        what = f"byte 0x{raw[error.start]:02x} is not UTF-8"
        raise _fail(path, what, line=line, column=column, allowed="save the file as UTF-8") from error


def _syntax(path: Path, text: str, error: yaml.YAMLError) -> Problem:
    """libyaml's complaint in our form; a tab in the indentation is named as such."""
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    what = getattr(error, "problem", None) or getattr(error, "reason", None) or str(error)
    if mark is None:
        before = text[: getattr(error, "position", 0)]
        line, column = before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1
        return Problem(f"{show_path(path)}:{line}:{column}", "", f"not YAML: {what}")
    line, column = mark.line + 1, mark.column + 1
    lines = text.split("\n")
    source = lines[min(mark.line, len(lines) - 1)]
    tab = source.find("\t")
    if 0 <= tab and not source[:tab].strip():
        where = f"{show_path(path)}:{line}:{tab + 1}"
        return Problem(where, "", "a tab in the indentation", "YAML indents with spaces alone")
    context = getattr(error, "context", None)
    return Problem(f"{show_path(path)}:{line}:{column}", "", f"not YAML: {what}" + (f" {context}" if context else ""))


def _package(text: str) -> str | None:
    for line in text.splitlines():
        if not line.startswith("#"):
            return None
        if found := _PACKAGE.match(line):
            return found.group(1)
    return None


class _Builder:
    """Builds values from events; `origins` and `problems` fill up meanwhile."""

    def __init__(self, path: Path, rank: int) -> None:
        self.path, self.rank = path, rank
        self.shown = show_path(path)
        self.folder = path.absolute().parent
        self.origins: Origins = {}
        self.problems: list[Found] = []
        self.anchors: dict[str, tuple[Any, Origins] | None] = {}
        self.size = 0

    def document(self, events: Iterator[Any]) -> dict[str, Any]:
        self.events = events
        event = self._next()
        while isinstance(event, yaml.StreamStartEvent | yaml.DocumentStartEvent):
            event = self._next()
        if isinstance(event, yaml.StreamEndEvent) or (isinstance(event, yaml.ScalarEvent) and not event.value.strip()):
            raise _fail(self.path, "the file is empty", allowed="a recipe is a mapping of keys to values")
        if not isinstance(event, yaml.MappingStartEvent):
            raise self._error(event, "not a mapping", "a recipe is a mapping of keys to values")
        self.origins[()] = self._origin(event, event)
        data = self._node(event, (), event, 0)
        self._end()
        assert isinstance(data, dict)
        return data

    def _end(self) -> None:
        event = self._next()
        while isinstance(event, yaml.DocumentEndEvent):
            event = self._next()
        if not isinstance(event, yaml.StreamEndEvent):
            raise self._error(event, "a second document", "a recipe is one document; remove `---`")

    def _next(self) -> Any:
        return next(self.events)

    def _error(self, event: Any, what: str, allowed: str | None = None) -> RecipeError:
        return _fail(
            self.path, what, line=event.start_mark.line + 1, column=event.start_mark.column + 1, allowed=allowed
        )

    def _origin(self, key: Any, value: Any) -> Origin:
        spot: Any = value.start_mark if isinstance(value, yaml.ScalarEvent) else key.start_mark
        line, column = spot.line + 1, spot.column + 1
        key_where = f"{self.shown}:{key.start_mark.line + 1}:{key.start_mark.column + 1}"
        return Origin(f"{self.shown}:{line}:{column}", key_where, self.folder, (self.rank, line, column))

    def _count(self, event: Any, number: int = 1) -> None:
        self.size += number
        if self.size > MAX_VALUES:
            what = f"more than {MAX_VALUES} values once its aliases are unfolded"
            raise self._error(event, what, "a recipe is small; write the values out")

    def _node(self, event: Any, path: KeyPath, key: Any, depth: int) -> Any:
        """The value that starts with `event`; its place and those of what it holds go to `origins` under `path`."""
        self._count(event)
        if depth > MAX_DEPTH:
            raise self._error(event, f"nested more than {MAX_DEPTH} deep")
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event, path)
        if event.tag not in (None, "!", "tag:yaml.org,2002:str"):
            raise self._error(
                event, f"the tag {event.tag.replace('tag:yaml.org,2002:', '!!')}", "a recipe is plain data without tags"
            )
        self.origins[path] = self._origin(key, event)
        if event.anchor:
            self.anchors[event.anchor] = None
        value = self._value(event, path, depth)
        if event.anchor:
            inside = {at[len(path) :]: origin for at, origin in self.origins.items() if at[: len(path)] == path}
            self.anchors[event.anchor] = (value, inside)
        return value

    def _value(self, event: Any, path: KeyPath, depth: int) -> Any:
        if isinstance(event, yaml.SequenceStartEvent):
            return self._sequence(path, depth)
        if isinstance(event, yaml.MappingStartEvent):
            return self._mapping(path, depth)
        return scalar(event.value) if event.implicit[0] else event.value

    def _alias(self, event: Any, path: KeyPath) -> Any:
        if event.anchor not in self.anchors:
            raise self._error(event, f"the alias *{event.anchor} has no anchor before it")
        anchor = self.anchors[event.anchor]
        if anchor is None:
            raise self._error(event, f"the alias *{event.anchor} lies inside its own anchor")
        value, inside = anchor
        self._count(event, len(inside))
        self.origins.update({path + at: origin for at, origin in inside.items()})
        return value

    def _sequence(self, path: KeyPath, depth: int) -> list[Any]:
        items: list[Any] = []
        while not isinstance(event := self._next(), yaml.SequenceEndEvent):
            items.append(self._node(event, (*path, len(items)), event, depth + 1))
        return items

    def _mapping(self, path: KeyPath, depth: int) -> dict[str, Any]:
        data: dict[str, Any] = {}
        merged: list[Any] = []
        while not isinstance(event := self._next(), yaml.MappingEndEvent):
            if not isinstance(event, yaml.ScalarEvent):
                raise self._error(event, "a key that is not text")
            at = (*path, event.value)
            if event.value == "<<" and event.implicit[0]:
                merged.append((event, self._node(self._next(), at, event, depth + 1)))
                continue
            if event.value in data:
                first = self.origins[at].key_where.rsplit(":", 2)[1]
                self.problems.append(found(at, self._origin(event, event), f"given twice; first in line {first}"))
                forget(self.origins, at)
            data[event.value] = self._node(self._next(), at, event, depth + 1)
        for event, value in merged:
            self._merge(event, value, data, path)
        return data

    def _merge(self, event: Any, value: Any, data: dict[str, Any], path: KeyPath) -> None:
        """`<<`: what the mapping lacks comes from another, or from several."""
        sources = list(enumerate(value)) if isinstance(value, list) else [(None, value)]
        for index, source in sources:
            if not isinstance(source, dict):
                raise self._error(event, "`<<` takes mappings")
            at = (*path, "<<") if index is None else (*path, "<<", index)
            for name in [name for name in source if name not in data]:
                data[name] = source[name]
                old = (*at, name)
                moved = {k[len(old) :]: o for k, o in self.origins.items() if k[: len(old)] == old}
                self.origins.update({(*path, name, *rest): origin for rest, origin in moved.items()})
        forget(self.origins, (*path, "<<"))
