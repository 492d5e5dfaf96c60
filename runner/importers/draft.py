"""A recipe in the making: values with the remark beside each and the place that each comes from."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from runner.base.values import mapping
from runner.base.words import enumerate_names, near
from runner.errors import Problem, RecipeError
from runner.recipe.origins import Found, KeyPath, Origin, Origins, dotted, found, nearest

PLACEHOLDER = "???"
"""A value that the person has to state; see `runner.recipe.judge.validate`."""


@dataclass(frozen=True)
class Source:
    """What is imported: plain values, the place of each, and how to name it to a person."""

    name: str
    path: Path
    data: dict[str, object]
    origins: Origins
    problems: tuple[Found, ...] = ()

    def at(self, path: KeyPath) -> Origin:
        """The place of a value, or of its nearest parent."""
        return nearest(self.origins, path)


@dataclass
class Draft:
    """What an importer fills.

    Attributes:
        kind: what was imported, for the heading.
        command: the command line that was imported, if it is one.
        config: the recipe, in the order of writing.
        comments: remarks beside values, by their key path in the recipe; `()` stands for the heading.
        remarks: lines of their own, before the section that they belong to; "" is the end of the recipe.
        unsupported: what has no counterpart: where, key and why.
        problems: mistakes in what is imported.
    """

    source: Source
    kind: str
    command: str = ""
    config: dict[str, object] = field(default_factory=dict)
    comments: dict[KeyPath, list[str]] = field(default_factory=dict)
    remarks: list[tuple[str, str]] = field(default_factory=list)
    origins: Origins = field(default_factory=dict)
    unsupported: list[Problem] = field(default_factory=list)
    problems: list[Found] = field(default_factory=list)

    def put(self, path: KeyPath, value: object, comment: str = "", origin: Origin | None = None) -> None:
        """State a value; parents come into being by themselves."""
        parent: object = self.config
        for part, following in pairwise(path):
            parent = _inner(parent, part, [] if isinstance(following, int) else {})
        if isinstance(parent, list):
            parent.append(value)
        else:
            mapping(parent)[str(path[-1])] = value
        self.origins[path] = origin or self.source.at(())
        if comment:
            self.comments.setdefault(path, []).append(comment)
        if "${" in str(value):
            self.problems.append(found(path, self.origins[path], "`${` can't be part of a value of a recipe"))

    def comment(self, path: KeyPath, text: str) -> None:
        """Say more beside a value."""
        self.comments.setdefault(path, []).append(text)

    def remark(self, section: str, text: str) -> None:
        """A line of its own before `section` of the recipe, or at its end."""
        self.remarks.append((section, text))

    def drop(self, section: str, key: str, why: str) -> None:
        """Note a key of the source that needs no counterpart."""
        self.remark(section, f"{key}: {why}")

    def refuse(self, section: str, key: str, why: str, origin: Origin | None = None) -> None:
        """Note a key of the source that has no counterpart: what it asked for is not done."""
        where = (origin or self.source.at(())).where
        self.unsupported.append(Problem(where, key, why))
        self.remark(section, f"unsupported: {key}: {why}")

    def wrong(self, path: KeyPath, what: str, allowed: str | None = None, suggestion: str | None = None) -> None:
        """Note a mistake at a key path of the source."""
        self.problems.append(found(path, self.source.at(path), what, allowed, suggestion))

    def unknown(self, path: KeyPath, known: Collection[str]) -> None:
        """Note a key of the source that nothing knows."""
        names = enumerate_names(sorted(known)) if len(known) <= 20 else None
        origin = self.source.at(path)
        guess = near(str(path[-1]).lower(), known)
        allowed = names.replace("there are", "allowed") if names else None
        self.problems.append(
            Found(path, origin.order, Problem(origin.key_where, dotted(path), "unknown key", allowed, guess))
        )

    def check(self) -> None:
        """Raise every mistake: those found in the source, and those that the recipe's own schema and rules find.

        Raises:
            RecipeError: there are some.
        """
        from runner.recipe.load import judge

        told = [*self.source.problems, *self.problems]
        origins = {(): self.source.at(()), **self.origins}
        judged = judge(self.config, origins, self.source.path)
        shown = _stated if told else _closed
        told += [one for one in judged if shown(self.config, one.path)]
        if told:
            ordered = sorted(told, key=lambda one: (one.order, dotted(one.path)))
            raise RecipeError([one.problem for one in ordered])


def _inner(parent: object, part: str | int, empty: object) -> object:
    if isinstance(parent, list):
        assert isinstance(part, int)
        if part >= len(parent):
            parent.append(empty)
        return parent[min(part, len(parent) - 1)]
    return mapping(parent).setdefault(str(part), empty)


def _closed(config: Mapping[str, object], path: KeyPath) -> bool:
    """Whether neither a value, nor one that it lies in, is still to be stated."""
    return bool(_deepest(config, path)[0] != PLACEHOLDER)


def _stated(config: Mapping[str, object], path: KeyPath) -> bool:
    """Whether there is a value, and not one that is to be stated: in a draft with mistakes others may be missing."""
    value, whole = _deepest(config, path)
    return whole and value != PLACEHOLDER and bool(path)


def _deepest(config: Mapping[str, object], path: KeyPath) -> tuple[object, bool]:
    """The value at a key path, or the last one on the way to it; and whether the way was whole."""
    value: object = config
    for part in path:
        if isinstance(value, dict) and part in value:
            value = value[part]
        elif isinstance(value, list) and isinstance(part, int) and part < len(value):
            value = value[part]
        else:
            return value, False
    return value, True


def leaves(value: object, path: KeyPath = ()) -> Iterator[KeyPath]:
    """The key paths of all that is no mapping."""
    if isinstance(value, dict) and value:
        for key, item in value.items():
            yield from leaves(item, (*path, key))
    else:
        yield path


def slug(text: str, fallback: str = "imported") -> str:
    """A recipe's name made from any text."""
    kept = "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in text.lower())
    from runner.recipe.judge.validate import is_name

    name = "-".join(part for part in kept.split("-") if part)[:64].strip("-") or fallback
    return name if is_name(name) else f"{fallback}-{name}"
