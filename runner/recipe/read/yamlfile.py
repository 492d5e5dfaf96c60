"""One YAML file -> plain values with the place of each, safely: YAML 1.2's scalars, limits on size, depth and aliases.

Built from libyaml's events rather than its nodes: composing nodes of deeply nested text overflows the C stack, and
an alias bomb has to be stopped while it unfolds.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import yaml

from runner.base.documents import read_limited
from runner.base.values import mapping
from runner.base.words import shorten
from runner.errors import Problem, RecipeError
from runner.recipe.origins import Found, KeyPath, Origin, Origins, found, show_path
from runner.recipe.read.scalars import scalar

MAX_BYTES = 1 << 20
MAX_VALUES = 3000
MAX_DEPTH = 40
MAX_KEY = 1000
"""Limits of a file: its size, its values, how deep they lie, and the letters of a key."""
_TOO_DEEP = f"nested more than {MAX_DEPTH} deep"

_LOADER: type[yaml.SafeLoader] | type[yaml.CSafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_Start = yaml.ScalarEvent | yaml.CollectionStartEvent
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
    data: dict[str, object]
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
    if text.count("%TAG") > MAX_KEY:  # libyaml compares each with all others
        raise _fail(path, "too many %TAG directives", allowed="a recipe is plain data without tags")
    try:
        data, origins = builder.document(yaml.parse(text, Loader=_LOADER))
    except yaml.YAMLError as error:
        raise RecipeError([_syntax(path, text, error)]) from error
    return YamlFile(path, data, origins, _package(text), builder.problems)


def _fail(path: Path, what: str, *, line: int = 1, column: int = 1, allowed: str | None = None) -> RecipeError:
    return RecipeError([Problem(f"{show_path(path)}:{line}:{column}", "", what, allowed)])


def decode(path: Path) -> str:
    """The text of a file in UTF-8.

    Raises:
        RecipeError: it can't be read, is too large, or not UTF-8.
    """
    try:
        raw = read_limited(path, MAX_BYTES)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise _fail(path, why if why.startswith("is ") else f"can't be read: {why}") from error
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


def _start_of(event: yaml.Event) -> tuple[int, int]:
    """Line and column where an event starts, counted from 1."""
    mark = event.start_mark
    assert mark is not None
    return mark.line + 1, mark.column + 1


@dataclass(frozen=True, slots=True)
class _Spot:
    """The place of a value, and those of what it holds."""

    origin: Origin
    inside: dict[str | int, _Spot] = field(default_factory=dict)

    def walk(self, path: KeyPath = ()) -> Iterator[tuple[KeyPath, Origin]]:
        yield path, self.origin
        for key, spot in self.inside.items():
            yield from spot.walk((*path, key))


class _Anchor(NamedTuple):
    """What an alias stands for, and how much of a file's budget each use of it takes."""

    value: object
    spot: _Spot
    values: int
    letters: int


class _Builder:
    """Builds values and their places from events; `problems` fills up meanwhile."""

    def __init__(self, path: Path, rank: int) -> None:
        self.path, self.rank = path, rank
        self.shown = show_path(path)
        self.folder = path.absolute().parent
        self.problems: list[Found] = []
        self.anchors: dict[str, _Anchor | None] = {}
        self.values = self.letters = 0

    def document(self, events: Iterator[yaml.Event]) -> tuple[dict[str, object], Origins]:
        self.events = events
        event = self._next()
        while isinstance(event, yaml.StreamStartEvent | yaml.DocumentStartEvent):
            event = self._next()
        if isinstance(event, yaml.StreamEndEvent) or (isinstance(event, yaml.ScalarEvent) and not event.value.strip()):
            raise _fail(self.path, "the file is empty", allowed="a recipe is a mapping of keys to values")
        if not isinstance(event, yaml.MappingStartEvent):
            raise self._error(event, "not a mapping", "a recipe is a mapping of keys to values")
        data, spot = self._node(event, (), event)
        self._end()
        return mapping(data), dict(spot.walk())

    def _end(self) -> None:
        event = self._next()
        while isinstance(event, yaml.DocumentEndEvent):
            event = self._next()
        if not isinstance(event, yaml.StreamEndEvent):
            raise self._error(event, "a second document", "a recipe is one document; remove `---`")

    def _next(self) -> yaml.Event:
        return next(self.events)

    def _error(self, event: yaml.Event, what: str, allowed: str | None = None) -> RecipeError:
        line, column = _start_of(event)
        return _fail(self.path, what, line=line, column=column, allowed=allowed)

    def _origin(self, key: yaml.Event, value: yaml.Event) -> Origin:
        start = _start_of(key)
        line, column = _start_of(value) if isinstance(value, yaml.ScalarEvent) else start
        key_where = f"{self.shown}:{start[0]}:{start[1]}"
        return Origin(f"{self.shown}:{line}:{column}", key_where, self.folder, (self.rank, line, column))

    def _count(self, event: yaml.Event, values: int, letters: int) -> None:
        self.values += values
        self.letters += letters
        if self.values > MAX_VALUES or self.letters > MAX_BYTES:
            limit = f"{MAX_VALUES} values" if self.values > MAX_VALUES else f"{MAX_BYTES} letters"
            what = f"more than {limit} once its aliases are unfolded"
            raise self._error(event, what, "a recipe is small; write the values out")

    def _check_tag(self, event: _Start) -> None:
        if event.tag not in (None, "!", "tag:yaml.org,2002:str"):
            tag = shorten(event.tag.replace("tag:yaml.org,2002:", "!!"))
            raise self._error(event, f"the tag {tag}", "a recipe is plain data without tags")

    def _node(self, event: yaml.Event, path: KeyPath, key: yaml.Event) -> tuple[object, _Spot]:
        """The value that starts with `event`, and the places of it and of what it holds."""
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event, path)
        if len(path) > MAX_DEPTH:
            raise self._error(event, _TOO_DEEP)
        assert isinstance(event, _Start)
        self._check_tag(event)
        values, letters = self.values, self.letters
        self._count(event, 1, len(event.value) if isinstance(event, yaml.ScalarEvent) else 0)
        spot = _Spot(self._origin(key, event))
        if event.anchor:
            self.anchors[event.anchor] = None
        value = self._value(event, path, spot)
        if event.anchor:
            self.anchors[event.anchor] = _Anchor(value, spot, self.values - values, self.letters - letters)
        return value, spot

    def _value(self, event: _Start, path: KeyPath, spot: _Spot) -> object:
        if isinstance(event, yaml.SequenceStartEvent):
            return self._sequence(path, spot)
        if isinstance(event, yaml.MappingStartEvent):
            return self._mapping(path, spot)
        assert isinstance(event, yaml.ScalarEvent)
        return scalar(event.value) if event.implicit[0] else event.value

    def _alias(self, event: yaml.AliasEvent, path: KeyPath) -> tuple[object, _Spot]:
        if event.anchor not in self.anchors:
            raise self._error(event, f"the alias *{shorten(str(event.anchor))} has no anchor before it")
        anchor = self.anchors[event.anchor]
        if anchor is None:
            raise self._error(event, f"the alias *{shorten(str(event.anchor))} lies inside its own anchor")
        self._count(event, anchor.values, anchor.letters)
        if len(path) + max(len(inside) for inside, _ in anchor.spot.walk()) > MAX_DEPTH:
            raise self._error(event, _TOO_DEEP)
        return anchor.value, anchor.spot

    def _sequence(self, path: KeyPath, spot: _Spot) -> list[object]:
        items: list[object] = []
        while not isinstance(event := self._next(), yaml.SequenceEndEvent):
            number = len(items)
            value, spot.inside[number] = self._node(event, (*path, number), event)
            items.append(value)
        return items

    def _mapping(self, path: KeyPath, spot: _Spot) -> dict[str, object]:
        data: dict[str, object] = {}
        merged: list[tuple[yaml.Event, object, _Spot]] = []
        while not isinstance(event := self._next(), yaml.MappingEndEvent):
            key = self._key(event)
            value, place = self._node(self._next(), (*path, key), event)
            if key == "<<" and isinstance(event, yaml.ScalarEvent) and event.implicit[0]:
                merged.append((event, value, place))
                continue
            if key in data:
                first = spot.inside[key].origin.key_where.rsplit(":", 2)[1]
                place_of_key = self._origin(event, event)
                self.problems.append(found((*path, key), place_of_key, f"given twice; first in line {first}"))
            data[key], spot.inside[key] = value, place
        for event, value, place in merged:
            self._merge(event, value, place, data, spot)
        return data

    def _key(self, event: yaml.Event) -> str:
        if not isinstance(event, yaml.ScalarEvent):
            raise self._error(event, "a key that is not text")
        self._check_tag(event)
        if len(event.value) > MAX_KEY:
            raise self._error(event, f"a key of {len(event.value)} letters", f"at most {MAX_KEY}")
        return str(event.value)

    def _merge(self, event: yaml.Event, value: object, place: _Spot, data: dict[str, object], spot: _Spot) -> None:
        """`<<`: what the mapping lacks comes from another, or from several."""
        sources = enumerate(value) if isinstance(value, list) else [(None, value)]
        for number, source in sources:
            if not isinstance(source, dict):
                raise self._error(event, "`<<` takes mappings")
            inside = place.inside if number is None else place.inside[number].inside
            for name in [name for name in source if name not in data]:
                data[name], spot.inside[name] = source[name], inside[name]
