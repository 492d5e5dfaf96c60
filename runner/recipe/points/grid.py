"""What a recipe's `sweep` and the command line list -> the settings of every point.

The command line wins over the file: it narrows or extends what the file lists for a key, adds keys, and drops what it
replaces. Values are not judged here; each point is, as a whole recipe.
"""

from __future__ import annotations

import functools
import itertools
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from runner.base.values import listing, mapping, plain
from runner.base.words import MOST_NAMES, enumerate_names, near
from runner.recipe.compose.overrides import COMMAND_LINE, MOST_POINTS, Override, Several, origin
from runner.recipe.origins import Found, KeyPath, Origin, Origins, dotted, found, nearest
from runner.recipe.read.documents import GROUPS

NOT_SWEPT = ("name", "description", "defaults")
"""Keys that say nothing of the model; sweep.schema.json refuses them in files."""


@dataclass(frozen=True)
class Value:
    """A value of a swept key, and where it is stated.

    Attributes:
        text: the override that states it, empty for a file.
        token: equal for equal values.
    """

    value: object
    place: Origin
    text: str = ""
    token: str = field(init=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "token", json.dumps(plain(self.value), sort_keys=True))


Settings = Mapping[str, Value]


@dataclass(frozen=True)
class Grid:
    """The points of a sweep.

    Attributes:
        keys: the swept keys: those of the file, those of the command line, those that only extra points have.
        points: what each point sets, in the order of the keys.
        common: what the command line sets in all of them, with each one's rank.
        problems: what is wrong with the sweep itself.
    """

    keys: tuple[str, ...]
    points: Sequence[Settings]
    common: Sequence[tuple[int, Override]]
    problems: Sequence[Found]


@dataclass(frozen=True)
class _Given:
    """One word of the command line: what it sets, to which values."""

    rank: int
    word: Override | Several
    values: tuple[Value, ...]

    @functools.cached_property
    def key(self) -> str:
        return dotted(self.word.path)

    @functools.cached_property
    def tokens(self) -> frozenset[str]:
        return frozenset(value.token for value in self.values)

    @functools.cached_property
    def replaced(self) -> frozenset[KeyPath]:
        """What setting any of the values replaces."""
        if isinstance(self.word, Override) and self.word.delete:
            return frozenset([self.word.path])
        return frozenset(leaf for value in self.values for leaf in self._leaves(value.value))

    def covers(self, key: str) -> bool:
        """Whether it sets `key`, or replaces something that `key` is in."""
        path = tuple(key.split("."))
        return any(path[:length] in self.replaced for length in range(1, len(path) + 1))

    def undoes(self, earlier: _Given) -> bool:
        """Whether nothing is left of a word before this one; a key changes a preset whatever their order."""
        if self.key == earlier.key:
            return True
        return not any(_fills_section(self.word.path, value.value) for value in self.values) and self.covers(
            earlier.key
        )

    def _leaves(self, value: object) -> Iterator[KeyPath]:
        """What setting the value replaces: a mapping merges with what is there, a preset fills its whole section."""
        if _fills_section(self.word.path, value):
            yield from [(GROUPS[str(self.word.path[0])],), self.word.path]
        else:
            yield from _leaves(value, self.word.path)


def _fills_section(path: KeyPath, value: object) -> bool:
    return len(path) == 1 and path[0] in GROUPS and not isinstance(value, dict)


def _leaves(value: object, path: KeyPath) -> Iterator[KeyPath]:
    if isinstance(value, dict) and value:
        for key, item in value.items():
            yield from _leaves(item, (*path, str(key)))
    else:
        yield path


def make_grid(section: Mapping[str, object], origins: Origins, words: Sequence[Override | Several]) -> Grid:
    """Combine a valid `sweep` section with the words of the command line."""
    return _Maker(section, origins, words).grid()


class _Maker:
    def __init__(self, section: Mapping[str, object], origins: Origins, words: Sequence[Override | Several]) -> None:
        self.origins = origins
        self.problems: list[Found] = []
        given = [_given(rank, word) for rank, word in enumerate(words)]
        later = [given[rank + 1 :] for rank in range(len(given))]
        for one in given:
            if isinstance(one.word, Several) and one.word.path[0] in NOT_SWEPT:
                place = one.values[0].place
                self.problems.append(
                    found(one.word.path, place, "can't be swept", "one value, the same for all points")
                )
        self.given = [one for one, after in zip(given, later, strict=True) if not any(a.undoes(one) for a in after)]
        self.listed = {
            key: tuple(self._value(item, ("sweep", key, index)) for index, item in enumerate(listing(items)))
            for key, items in section.items()
            if key not in ("exclude", "include")
        }
        self.include = [self._entry("include", *one) for one in enumerate(listing(section.get("include") or []))]
        self.exclude = [self._entry("exclude", *one) for one in enumerate(listing(section.get("exclude") or []))]

    def grid(self) -> Grid:
        axes = self._axes()
        included = list(itertools.islice(self._included(), MOST_POINTS + 1))
        added = {key for entry in included for key in entry}
        known = [*axes, *self.listed, *(key for entry in self.include for key in entry)]
        keys = {key: None for key in known if key in axes or key in added}
        size = math.prod(len(values) for values in axes.values())
        points: list[Settings] = []
        if size > MOST_POINTS or len(included) > MOST_POINTS:
            count = f"{max(size, len(included))} points" if size < 10**15 else "10^15 points and more"
            self._problem(("sweep",), count, f"at most {MOST_POINTS}; list fewer values")
        else:
            points = self._points(axes, list(keys), included)
        singles = [(one.rank, one.word) for one in self.given if isinstance(one.word, Override)]
        common = [(rank, word) for rank, word in singles if dotted(word.path) not in {*axes, *self._unswept()}]
        return Grid(tuple(keys), points, common, self.problems)

    def _axes(self) -> dict[str, tuple[Value, ...]]:
        """The swept keys with their values; a key of the file that the command line sets has the values given there."""
        axes = {}
        for key, values in self.listed.items():
            mine = self._setting(key)
            if mine:
                axes[key] = mine.values
            elif not any(one.covers(key) for one in self.given):
                axes[key] = values
        axes |= {one.key: one.values for one in self.given if isinstance(one.word, Several)}
        return axes

    def _unswept(self) -> list[str]:
        """Keys that the command line takes out of the file's sweep; what the recipe itself says of them counts then."""
        return [one.key for one in self.given if one.key in self.listed and not one.values]

    def _setting(self, key: str) -> _Given | None:
        """What the command line sets a key to."""
        return next((one for one in self.given if one.key == key and one.values), None)

    def _points(
        self, axes: Mapping[str, tuple[Value, ...]], keys: Sequence[str], included: Sequence[Settings]
    ) -> list[Settings]:
        stated = [entry for entry in self.include if not _of_command_line(entry)]
        combined = itertools.product(*axes.values()) if self.listed or not stated else ()
        whole = [dict(zip(axes, values, strict=True)) for values in combined]
        kept = self._without_excluded(whole, {*keys, *self.listed})
        unique: dict[frozenset[tuple[str, str]], Settings] = {}
        for point in [*kept, *included]:
            ordered = {key: point[key] for key in keys if key in point}
            unique.setdefault(frozenset((key, value.token) for key, value in ordered.items()), ordered)
        return list(unique.values()) or self._none_left(len(whole))

    def _none_left(self, count: int) -> list[Settings]:
        said = f"`exclude` leaves all {count} points out" if self.exclude else "no point is left"
        self._problem(("sweep",), said, "at least one has to stay")
        return []

    def _without_excluded(self, points: list[dict[str, Value]], known: set[str]) -> list[dict[str, Value]]:
        allowed = enumerate_names(sorted(known), lead="allowed")
        for index, entry in enumerate(self.exclude):
            unknown = [key for key in entry if key not in known]
            for key in unknown:
                guess = near(key, known) if len(self.problems) < MOST_NAMES else None
                self._problem(("sweep", "exclude", index, key), "not a key of this sweep", allowed, guess)
            kept = [point for point in points if not _matches(point, entry)]
            if len(kept) == len(points) and not unknown and not self.given:
                what = "leaves nothing out; no point is left that has all of this"
                self._problem(("sweep", "exclude", index), what, "remove it, or correct its values")
            points = kept
        return points

    def _included(self) -> Iterator[dict[str, Value]]:
        """The extra points that agree with the command line, each with every value of the keys that it adds.

        Those that the command line itself states are as they stand there.
        """
        added = [one for one in self.given if isinstance(one.word, Several) and one.key not in self.listed]
        for entry in self.include:
            if _of_command_line(entry):
                yield entry
            elif all(self._agrees(entry, one) for one in self.given):
                free = {one.key: one.values for one in added if one.key not in entry}
                for values in itertools.product(*free.values()):
                    yield {**entry, **dict(zip(free, values, strict=True))}

    def _agrees(self, entry: Settings, given: _Given) -> bool:
        """Whether an extra point has one of the values that the command line gives for a key of the file's sweep."""
        if given.key in entry:
            return entry[given.key].token in given.tokens
        return given.key not in self.listed and not any(given.covers(key) for key in entry)

    def _entry(self, part: str, index: int, entry: object) -> dict[str, Value]:
        return {key: self._value(value, ("sweep", part, index, key)) for key, value in mapping(entry).items()}

    def _value(self, value: object, path: KeyPath) -> Value:
        if "${" in json.dumps(value):
            self._problem(path, "a swept value is stated, not referred to", "write the value itself")
        return Value(value, self._place(path))

    def _place(self, path: KeyPath) -> Origin:
        return nearest(self.origins, path)

    def _problem(self, path: KeyPath, what: str, allowed: str | None = None, guess: str | None = None) -> None:
        self.problems.append(found(path, self._place(path), what, allowed, guess))


def _given(rank: int, word: Override | Several) -> _Given:
    place = origin(word.text, rank)
    if isinstance(word, Several):
        unique = {value.token: value for value in (Value(one, place, word.text) for one in word.values)}
        return _Given(rank, word, tuple(unique.values()))
    return _Given(rank, word, () if word.delete else (Value(word.value, place, word.text),))


def _of_command_line(entry: Settings) -> bool:
    return any(value.place.order[0] == COMMAND_LINE for value in entry.values())


def _matches(point: Settings, entry: Settings) -> bool:
    return all(key in point and point[key].token == value.token for key, value in entry.items())
