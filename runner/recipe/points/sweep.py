"""Sweep: a recipe with lists of values -> points, each a whole recipe; every mistake of every point at once.

What presets a point takes decides its composition, which is done once for all points that take the same. The rest of a
point is a copy of that with its values put in, judged like any recipe; what points have in common they share.
"""

from __future__ import annotations

import copy
import fnmatch
import json
from collections import ChainMap
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from runner.base.values import T, mapping
from runner.base.words import enumerate_names
from runner.errors import Problem, RecipeError, UsageError
from runner.recipe import build, load
from runner.recipe.compose import interpolation
from runner.recipe.compose import overrides as command_line
from runner.recipe.compose.overrides import Override, Several
from runner.recipe.load import Composed
from runner.recipe.origins import Found, KeyPath, Origins, dotted, found, nearest
from runner.recipe.points.grid import Grid, Settings, make_grid
from runner.recipe.points.mistakes import Mistakes
from runner.recipe.points.names import point_name
from runner.recipe.points.select import check_select, make_select
from runner.recipe.read import search
from runner.recipe.read.documents import GROUPS, Choice
from runner.recipe.types import Point, Recipe, Select, Sweep

if TYPE_CHECKING:
    from runner.recipe.judge.validate import Memory


def load_sweep(name: str, overrides: Sequence[str] = (), *, recipes_dir: Path | None = None) -> Sweep:
    """Expand a recipe into its points, and validate each.

    Args:
        name: name of a recipe, or a path to a .yaml file; one without `sweep` is swept by the overrides.
        overrides: `key=value`, `key=value,value`, `group=preset,preset`, `group=glob(pattern)` or `~key`, in Hydra's
            grammar.
        recipes_dir: the user's folder of recipes and presets, instead of ./recipes.

    Raises:
        UsageError: overrides that can't be read.
        RecipeError: the recipe can't be found, its sweep can't be understood, or points have mistakes; all of them,
            each with the points that have it.
    """
    path = search.find_recipe(name, recipes_dir)
    from runner.recipe.compose import hydra as compose

    words = compose.parse_sweep(overrides)
    expander = _Expander(path, search.around(path, recipes_dir))
    words = expander.with_presets(words)
    declared = [word for word in words if word.path[0] in compose.WHOLE]
    words = [word for word in words if word not in declared]
    return expander.sweep(words, declared)


class _Expander:
    """Makes the points of one recipe."""

    def __init__(self, path: Path, folders: Sequence[Path]) -> None:
        self.path, self.folders = path, folders
        self.compositions: dict[str, Composed | RecipeError] = {}
        self.memory: Memory = {}
        self.shared: dict[tuple[str, str], Any] = {}
        self.places: dict[int, tuple[Origins, dict[str, str]]] = {}

    def with_presets(self, words: Sequence[Override | Several]) -> list[Override | Several]:
        """The words with the names of presets in place of patterns."""
        expanded: list[Override | Several] = []
        problems: list[Problem] = []
        for word in words:
            if isinstance(word, Several) and word.patterns is not None:
                try:
                    expanded.append(self._matching(word, *word.patterns))
                except UsageError as error:
                    problems += error.problems
            else:
                expanded.append(word)
        if problems:
            raise UsageError(problems)
        return expanded

    def _matching(self, word: Several, wanted: Sequence[str], unwanted: Sequence[str]) -> Several:
        group = dotted(word.path)
        if group not in GROUPS:
            what = f"glob takes presets, and {group} is no group of them"
            raise UsageError([Problem(f"command line: {word.text}", "", what, f"allowed: {', '.join(GROUPS)}")])
        known = search.presets(group, self.folders)
        names = [name for name in known if _fits(name, wanted) and not _fits(name, unwanted)]
        if not names:
            there = enumerate_names(known, more=search.ALL)
            raise UsageError([Problem(f"command line: {word.text}", "", f"no {group} preset matches", there)])
        return Several(word.text, word.path, tuple(names))

    def sweep(self, words: Sequence[Override | Several], declared: Sequence[Override | Several]) -> Sweep:
        """All points, or all mistakes."""
        singles = [_placed(word, rank) for rank, word in enumerate(words) if isinstance(word, Override)]
        base = self._composed(command_line.choices(singles))
        if isinstance(base, RecipeError):
            raise base
        said = _declared(base, declared)
        load.refuse([*base.problems, *said.problems], only=said.problems)
        grid = make_grid(said.sweep, said.origins, words)
        name, unnamed = self._name(base, singles, grid)
        load.refuse([*base.problems, *grid.problems, *unnamed], only=[*grid.problems, *unnamed])
        mistakes = Mistakes(name, base.origins[()].where)
        _refuse_work(base, grid)
        points = [point for settings in grid.points if (point := self._point(settings, grid, name, mistakes))]
        if said.select:
            for point in points:
                mistakes.add(point.name, point.settings, check_select(said.select, point.recipe, said.origins))
        mistakes.refuse()
        return Sweep(name if grid.keys else points[0].name, grid.keys, points, said.select)

    def _name(self, base: Composed, singles: Sequence[Override], grid: Grid) -> tuple[str, list[Found]]:
        """The recipe's name; its mistakes are those of all points, but for one that points would not have in common."""
        config, origins = {**base.config}, {**base.origins}
        command_line.apply(config, origins, [word for word in singles if word.path == ("name",)])
        name = config.get("name", self.path.stem)
        if grid.keys and isinstance(name, str) and "${" in name:
            what = "the name of a sweep is stated, not referred to"
            return name, [found(("name",), nearest(origins, ("name",)), what, "write the name itself")]
        return name if isinstance(name, str) else self.path.stem, []

    def _point(self, settings: Settings, grid: Grid, base: str, mistakes: Mistakes) -> Point | None:
        plain = {key: value.value for key, value in settings.items()}
        name = point_name(base, plain)
        words = _in_order(settings, grid)
        composed = self._composed(command_line.choices(words))
        if isinstance(composed, RecipeError):
            mistakes.add(name, plain, composed.problems)
            return None
        config, origins = copy.deepcopy(composed.config), dict(composed.origins)
        problems = [*composed.problems, *command_line.apply(config, origins, words)]
        config, unresolved = interpolation.resolve(config, origins)
        problems = load.judge(config, origins, self.path, [*problems, *unresolved], self.memory)
        mistakes.add(name, plain, problems)
        if problems:
            return None
        recipe = self._recipe({**config, "name": name} if settings else config, origins, composed)
        return Point(recipe.name, plain, recipe)

    def _composed(self, choices: Mapping[str, Choice]) -> Composed | RecipeError:
        """The recipe with these presets; what it says of its points is only asked of the first."""
        key = json.dumps([[group, choice.names] for group, choice in sorted(choices.items())])
        if key not in self.compositions:
            try:
                composed = load.composed(self.path, self.folders, choices)
            except RecipeError as error:
                self.compositions[key] = error
            else:
                if self.compositions:
                    _take_out(composed)
                self.compositions[key] = composed
        return self.compositions[key]

    def _recipe(self, config: Mapping[str, object], origins: Origins, composed: Composed) -> Recipe:
        """A valid recipe, which shares with those before it whatever is equal."""
        recipe = build.build(config, origins, self.path)
        resolved = {name: self._share(name, value, value) for name, value in recipe.resolved.items()}
        parts = {
            field: self._share(f"built {field}", resolved.get(field), getattr(recipe, field))
            for field in ("model", "datasets", "input_info", "conversion", "parts", "accuracy")
        }
        return replace(recipe, resolved=resolved, origins=self._where(origins, composed), **parts)

    def _share(self, name: str, content: object, value: T) -> T:
        known: T = self.shared.setdefault((name, json.dumps(content)), value)
        return known

    def _where(self, origins: Origins, composed: Composed) -> Mapping[str, str]:
        """The recipe's `origins`: what differs from its composition, before the places of that."""
        if id(composed) not in self.places:
            common = {dotted(path): place.where for path, place in composed.origins.items() if path}
            self.places[id(composed)] = composed.origins, common
        before, common = self.places[id(composed)]
        own = {dotted(path): place.where for path, place in origins.items() if path and before.get(path) is not place}
        if len(origins.keys() & before.keys()) < len(before):
            return {dotted(path): place.where for path, place in origins.items() if path}
        return ChainMap(own, common)


MOST_WORK = 1_000_000
"""Points times values."""


def _refuse_work(base: Composed, grid: Grid) -> None:
    """Many points of a large recipe take longer than a mistake in either should."""
    values = _weight(base.config)
    if len(grid.points) * values > MOST_WORK:
        what = f"{len(grid.points)} points of a recipe with {values} values"
        where = base.origins[()].where
        raise RecipeError([Problem(where, "sweep", what, f"at most {MOST_WORK // values} points of such a recipe")])


def _weight(value: object) -> int:
    """How many values there are, a long text counted as several."""
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return 1 + sum(map(_weight, items)) + (len(value) // 1000 if isinstance(value, str) else 0)


def _fits(name: str, patterns: Sequence[str]) -> bool:
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)


def _in_order(settings: Settings, grid: Grid) -> list[Override]:
    """A point's settings and what is common to all: those of files first, whole sections before what is in them."""
    ranked = list(grid.common)
    for key, value in settings.items():
        path: KeyPath = tuple(key.split("."))
        rank = value.place.order[1] if value.text else len(path) - _LONGEST_PATH
        ranked.append((rank, Override(value.text, path, value.value, place=value.place)))
    return [_placed(word, rank) for rank, word in sorted(ranked, key=lambda one: one[0])]


_LONGEST_PATH = 1000


def _placed(word: Override, rank: int) -> Override:
    return word if word.place else replace(word, place=command_line.origin(word.text, rank))


class _Said(NamedTuple):
    """What a recipe, changed by the command line, says of its points; and what is wrong with that."""

    sweep: Mapping[str, object]
    select: Select | None
    origins: Origins
    problems: list[Found]


def _declared(base: Composed, words: Sequence[Override | Several]) -> _Said:
    from runner.recipe.judge import validate

    config, origins = _take_out(base)
    singles = [word if isinstance(word, Override) else Override(word.text, word.path, [*word.values]) for word in words]
    problems = command_line.apply(config, origins, [_placed(word, rank) for rank, word in enumerate(singles)])
    config = {name: value for name, value in config.items() if value is not None}
    problems += validate.validate_sections(config, origins)
    select = make_select(mapping(config["select"])) if "select" in config and not problems else None
    said = config.get("sweep")  # of another type, it is among the problems
    return _Said(said if isinstance(said, Mapping) else {}, select, origins, problems)


def _take_out(composed: Composed) -> tuple[dict[str, object], Origins]:
    """Move what a recipe says of its points out of it."""
    config: dict[str, object] = {
        name: composed.config.pop(name) for name in ("sweep", "select") if name in composed.config
    }
    origins = {path: place for path, place in composed.origins.items() if path[:1] in (("sweep",), ("select",))}
    for path in origins:
        del composed.origins[path]
    return config, {(): composed.origins[()], **origins}
