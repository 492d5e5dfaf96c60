"""Where every value of a recipe was stated: `file:line:col` of a file, or the override of the command line."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from runner.errors import Problem

KeyPath = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Origin:
    """The place of one value.

    Attributes:
        where: place of the value, `file:line:col` or `command line: key=value`.
        key_where: place of its key; the same as `where` for an item of a list.
        folder: what a relative path stated there is relative to.
        order: sorts places as a reader meets them: rank of the file, line, column.
    """

    where: str
    key_where: str
    folder: Path
    order: tuple[int, int, int]


Origins = dict[KeyPath, Origin]


class Found(NamedTuple):
    """A problem, the key it is about, and what orders it among others."""

    path: KeyPath
    order: tuple[int, int, int]
    problem: Problem


def found(path: KeyPath, origin: Origin, what: str, allowed: str | None = None, suggestion: str | None = None) -> Found:
    """A problem with the value of `path`, at its place."""
    return Found(path, origin.order, Problem(origin.where, dotted(path), what, allowed, suggestion))


def dotted(path: KeyPath) -> str:
    """A key path as people write it: `accuracy.checks.0.max`."""
    return ".".join(str(part) for part in path)


def show_path(path: Path) -> str:
    """The path as a message shows it: relative inside the working directory, absolute outside."""
    absolute = Path(path).absolute()
    try:
        return str(absolute.relative_to(Path.cwd()))
    except ValueError:
        return str(absolute)


def nearest(origins: Mapping[KeyPath, Origin], path: KeyPath) -> Origin:
    """The origin of `path`, or of its nearest parent that has one."""
    for length in range(len(path), -1, -1):
        if origin := origins.get(path[:length]):
            return origin
    message = f"no origin at all for {dotted(path)}"
    raise KeyError(message)


def forget(origins: Origins, path: KeyPath) -> None:
    """Drop the origins of `path` and of everything in it; what has none has nothing in it that has one."""
    if path not in origins:
        return
    for key in [key for key in origins if key[: len(path)] == path]:
        del origins[key]


def graft(target: Origins, source: Mapping[KeyPath, Origin], at: KeyPath = ()) -> None:
    """Put a file's origins, in the order of composition, over those of the files before it.

    Lists replace lists, as they do in the values; mappings merge.
    """
    lists = {path[:-1] for path in source if path and isinstance(path[-1], int)}
    containers = {path[:-1] for path in source if path}
    for path, origin in source.items():
        if path in lists or path not in containers:
            forget(target, at + path)
        target[at + path] = origin


def mark(target: Origins, path: KeyPath, value: object, origin: Origin) -> None:
    """Give `path`, and everything in its new value, one origin."""
    forget(target, path)
    for part in _paths(value, path):
        target[part] = origin


def _paths(value: object, path: KeyPath) -> Iterable[KeyPath]:
    yield path
    items: Iterable[tuple[str | int, object]] = ()
    if isinstance(value, dict):
        items = value.items()
    elif isinstance(value, list):
        items = enumerate(value)
    for key, item in items:
        yield from _paths(item, (*path, key))
