"""The mistakes of a sweep's points: equal ones told once, with the points that have them and what leaves those out."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Mapping, Sequence
from itertools import combinations

from runner.base.values import plain
from runner.errors import Problem, RecipeError
from runner.recipe.origins import Found, dotted
from runner.recipe.points.names import suffix

_SHOWN = 3
"""Points that a mistake names, and entries of `exclude` that a hint suggests."""
_MOST = 30
"""Mistakes that are told."""
_MOST_KEYS = 20
"""Keys of a point; of more there are too many combinations to look for the wrong ones."""
_Match = frozenset[tuple[str, str]]


class Mistakes:
    """Collects what is wrong with the points of the sweep called `base`, which `where` is the place of."""

    def __init__(self, base: str, where: str) -> None:
        self.base, self.where = base, where
        self.points: dict[str, Mapping[str, object]] = {}
        self.bad: set[str] = set()
        self.groups: dict[Problem, tuple[tuple[object, ...], Problem, list[str]]] = {}

    def add(self, name: str, settings: Mapping[str, object], problems: Sequence[Found | Problem]) -> None:
        """A point, and what is wrong with it."""
        self.points[name] = settings
        for known in problems:
            problem = known.problem if isinstance(known, Found) else known
            order = (*known.order, dotted(known.path)) if isinstance(known, Found) else (-1,)
            group = self.groups.setdefault(_kind(problem, settings), (order, problem, []))
            if name not in group[2][-1:]:
                group[2].append(name)
        if problems:
            self.bad.add(name)

    def refuse(self) -> None:
        """Raise all mistakes, if there are any.

        Raises:
            RecipeError: in the order of their places.
        """
        if self.bad:
            ordered = sorted(self.groups.values(), key=lambda group: group[0])
            told = [self._told(problem, names) for _, problem, names in ordered[:_MOST]]
            if len(ordered) > _MOST:
                told.append(Problem(self.where, "", f"and {len(ordered) - _MOST} more mistakes"))
            raise RecipeError(told, hint=self._hint())

    def _told(self, problem: Problem, names: Sequence[str]) -> Problem:
        if len(names) == len(self.points):
            return problem
        shown = ", ".join(suffix(name, self.base) for name in names[:_SHOWN])
        more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
        what = f"{problem.what} (in {len(names)} of {len(self.points)} points: {shown}{more})"
        return dataclasses.replace(problem, what=what)

    def _hint(self) -> str | None:
        slips = any(problem.suggestion for _, problem, _ in self.groups.values())
        matches = [] if slips else self._matches()
        if not matches:
            return None
        text = f"[{', '.join(map(_written, matches))}]"
        right = len(self.points) - len(self.bad)
        return (
            f"{right} of {len(self.points)} points are right. `exclude: {text}` in the recipe's `sweep` leaves out the"
            f" others, and 'sweep.exclude={text}' does on the command line; `include` adds points beside the grid."
        )

    def _matches(self) -> list[dict[str, object]]:
        """A few partial matches that only wrong points have, and all of them; none where that takes many."""
        right = [settings for name, settings in self.points.items() if name not in self.bad]
        left = [self.points[name] for name in self.bad]
        chosen: list[dict[str, object]] = []
        if max(map(len, self.points.values())) > _MOST_KEYS:
            return []
        for size in (1, 2):
            while right and left and len(chosen) <= _SHOWN:
                free = _parts(left, size)
                for settings in right:
                    for part in _parts([settings], size):
                        free.pop(part, None)
                if not free:
                    break
                best = max(sorted(free, key=sorted), key=lambda part: free[part])
                chosen.append({key: json.loads(token) for key, token in sorted(best)})
                left = [settings for settings in left if best not in _parts([settings], size)]
        return chosen if right and not left and len(chosen) <= _SHOWN else []


def _kind(problem: Problem, settings: Mapping[str, object]) -> Problem:
    """What equal mistakes have in common: not their place, and no number that the point sets."""
    value = settings.get(problem.key)
    number = isinstance(value, int | float) and not isinstance(value, bool)
    what = re.sub(rf"^{re.escape(json.dumps(value))}\b", "", problem.what) if number else problem.what
    return dataclasses.replace(problem, where="", what=what)


def _parts(points: Sequence[Mapping[str, object]], size: int) -> dict[_Match, int]:
    """The partial matches of so many keys, and how many points have each."""
    counts: dict[_Match, int] = {}
    for settings in points:
        tokens = [(key, json.dumps(plain(value), sort_keys=True)) for key, value in settings.items()]
        for part in combinations(tokens, size):
            counts[frozenset(part)] = counts.get(frozenset(part), 0) + 1
    return counts


def _written(match: Mapping[str, object]) -> str:
    """`{compression.mode: int8_sym}`, as YAML and the command line both read it."""
    texts = (f"{key}: {value if isinstance(value, str) else json.dumps(value)}" for key, value in match.items())
    return "{" + ", ".join(texts) + "}"
