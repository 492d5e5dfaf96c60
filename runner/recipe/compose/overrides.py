"""Overrides of the command line: what each means, and their application to composed values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runner.base.words import enumerate_names, shorten
from runner.recipe.origins import Found, KeyPath, Origin, Origins, dotted, forget, found, mark
from runner.recipe.read.documents import GROUPS, Choice
from runner.recipe.read.rawcheck import PLAIN_ONLY, bad_interpolation, bad_key

COMMAND_LINE = 1 << 30
"""The rank of the command line among files: its mistakes come last."""
MOST_POINTS = 10_000
"""More points of a sweep are a slip of the hand, or several sweeps."""


@dataclass(frozen=True)
class Override:
    """`key=value`, or `~key`, as it was written and as Hydra's grammar reads it.

    `place` is where it was written, if that is not the command line.
    """

    text: str
    path: KeyPath
    value: object = None
    delete: bool = False
    place: Origin | None = None

    @property
    def is_choice(self) -> bool:
        """Whether it names presets for a group rather than a value."""
        named = isinstance(self.value, str) or (
            isinstance(self.value, list) and all(isinstance(name, str) for name in self.value)
        )
        return len(self.path) == 1 and self.path[0] in GROUPS and (named or self.value is None)


@dataclass(frozen=True)
class Several:
    """`key=value,value` or `group=glob(pattern)`: one point of a sweep for each value.

    `patterns` are those of names to take, and of names to leave out again; there are no `values` then.
    """

    text: str
    path: KeyPath
    values: tuple[object, ...] = ()
    patterns: tuple[tuple[str, ...], tuple[str, ...]] | None = None


def origin(text: str, rank: int) -> Origin:
    """The place of a value of the command line; paths stated there are relative to the working directory."""
    where = f"command line: {shorten(text)}"
    return Origin(where, where, Path.cwd(), (COMMAND_LINE, rank, 0))


def choices(overrides: Sequence[Override]) -> dict[str, Choice]:
    """The groups chosen; the last choice of a group counts."""
    found = {}
    for rank, override in enumerate(overrides):
        if override.is_choice:
            names = override.value if isinstance(override.value, list) else [override.value]
            kept = tuple(name for name in names if isinstance(name, str))
            found[str(override.path[0])] = Choice(kept, override.place or origin(override.text, rank))
    return found


def apply(config: dict[str, object], origins: Origins, overrides: Sequence[Override]) -> list[Found]:
    """Set and delete values in place, as Hydra's `++key=value` and `~key` do; what can't be done comes back."""
    problems = []
    for rank, override in enumerate(overrides):
        if not override.is_choice:
            place = override.place or origin(override.text, rank)
            if what := _refusal(override):
                problems.append(found(override.path, place, *what))
            elif what := _change(config, origins, override, place):
                problems.append(found(override.path, place, *what))
    return problems


def _refusal(override: Override) -> tuple[str, str | None] | None:
    for path in _paths(override.value, override.path):
        if what := bad_key(path):
            return what, None
    for text in _texts(override.value):
        if what := bad_interpolation(text):
            return what, PLAIN_ONLY
    if override.path[0] == "defaults":
        return "can't be changed from the command line", "choose a preset with group=name"
    return None


def _change(config: dict[str, object], origins: Origins, override: Override, place: Origin) -> tuple[str, str] | None:
    parent: Any = config
    for depth, part in enumerate(override.path[:-1], 1):
        if isinstance(parent, dict) and not isinstance(parent.get(part), dict | list):
            if override.delete:
                return "not there to delete", _there(parent)
            parent[part] = {}
            mark(origins, override.path[:depth], {}, place)
        inner = parent[part] if isinstance(parent, dict) else _item(parent, part)
        if inner is None:
            return _no_item(parent, override.path[:depth])
        parent = inner
    return _change_in(parent, origins, override, place)


def _change_in(parent: Any, origins: Origins, override: Override, place: Origin) -> tuple[str, str] | None:
    last = override.path[-1]
    if not isinstance(parent, dict):
        if _item(parent, last) is None:
            return _no_item(parent, override.path)
        last = int(last)
    elif override.delete and last not in parent:
        return "not there to delete", _there(parent)
    path = (*override.path[:-1], last)
    if override.delete:
        del parent[last]
        forget(origins, path)
    elif isinstance(override.value, dict) and isinstance(parent, dict) and isinstance(parent.get(last), dict):
        for key, value in override.value.items():
            _change_in(parent[last], origins, Override(override.text, (*path, str(key)), value), place)
    else:
        parent[last] = override.value
        mark(origins, path, override.value, place)
    return None


def _there(parent: Mapping[object, object]) -> str:
    return enumerate_names([str(key) for key in parent]) or "nothing is there"


def _item(items: object, part: str | int) -> object:
    """The item of a list, or None; a None in a list counts as none, and no recipe has one."""
    if not isinstance(items, list):
        return None
    index = int(part) if str(part).isdecimal() else len(items)
    return items[index] if index < len(items) else None


def _no_item(parent: object, path: KeyPath) -> tuple[str, str]:
    if not isinstance(parent, list):
        return f"{dotted(path[:-1])} is a single value, there is nothing in it", "state the value itself"
    return f'"{path[-1]}" is no item of the list {dotted(path[:-1])}', "allowed: the number of an item, the first is 0"


def _paths(value: object, path: KeyPath) -> list[KeyPath]:
    """The path of the value, and those of all keys in it."""
    items: Mapping[object, object] = value if isinstance(value, dict) else {}
    return [path, *(inner for key, item in items.items() for inner in _paths(item, (*path, str(key))))]


def _texts(value: object) -> list[str]:
    if isinstance(value, dict | list):
        return [text for item in (value.values() if isinstance(value, dict) else value) for text in _texts(item)]
    return [value] if isinstance(value, str) else []
