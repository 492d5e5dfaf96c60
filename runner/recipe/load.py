"""From the name of a recipe to a validated `Recipe`, with every mistake at once."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from runner.errors import RecipeError
from runner.recipe import build
from runner.recipe.compose import interpolation
from runner.recipe.compose import overrides as command_line
from runner.recipe.origins import Found, KeyPath, Origins, dotted, found, nearest
from runner.recipe.read import documents, search
from runner.recipe.read.documents import Choice, Document
from runner.recipe.types import Recipe

if TYPE_CHECKING:
    from runner.recipe.judge.validate import Memory


def load_recipe(name: str, overrides: Sequence[str] = (), *, recipes_dir: Path | None = None) -> Recipe:
    """Compose, validate and build a recipe.

    Args:
        name: name of a recipe, or a path to a .yaml file.
        overrides: `key=value`, `group=preset` or `~key`, in Hydra's grammar.
        recipes_dir: the user's folder of recipes and presets, instead of ./recipes.

    Raises:
        UsageError: overrides that can't be read.
        RecipeError: the recipe can't be found, or has mistakes; all of them, in the order of their places.
    """
    path = search.find_recipe(name, recipes_dir)
    from runner.recipe.compose import hydra as compose

    parsed = compose.parse(overrides)
    config, origins, problems = composed(path, search.around(path, recipes_dir), command_line.choices(parsed))
    problems = [*problems, *command_line.apply(config, origins, parsed)]
    config, unresolved = interpolation.resolve(config, origins)
    _refuse_sweep(config, origins)
    problems = judge(config, origins, path, [*problems, *unresolved])
    refuse(problems, only=problems)
    return build.build(config, origins, path)


class Composed(NamedTuple):
    """A recipe with its presets as plain data, the place of each value, and what is wrong so far."""

    config: dict[str, object]
    origins: Origins
    problems: list[Found]


def composed(path: Path, folders: Sequence[Path], choices: Mapping[str, Choice]) -> Composed:
    """Read a recipe and all that it names, and compose them.

    Raises:
        RecipeError: a file can't be read, or `defaults` name what isn't there.
    """
    from runner.recipe.compose import hydra as compose

    files, problems = documents.collect(path, folders, choices)
    problems = [*_in_files(files), *problems]
    refuse(problems, only=[known for known in problems if known.path[:1] == ("defaults",)])
    return Composed(*compose.compose(files), problems)


def _refuse_sweep(config: Mapping[str, object], origins: Origins) -> None:
    """A single recipe has no points, and is not judged before it is one."""
    said = {
        "sweep": ("this is a sweep, and one recipe is needed here", "`ovrun sweep` runs it; ~sweep drops this section"),
        "select": ("chooses among the points of a sweep, and this is a single recipe", "remove it, or add `sweep`"),
    }
    for name in (name for name in said if config.get(name) is not None):
        place = nearest(origins, (name,))
        wrong = found((name,), dataclasses.replace(place, where=place.key_where), *said[name])
        refuse([wrong], only=[wrong])


def judge(
    config: Mapping[str, object],
    origins: Origins,
    path: Path,
    known: Sequence[Found] = (),
    memory: Memory | None = None,
) -> list[Found]:
    """What is wrong with composed values: what is known already, what the schemas say, and what the rules say."""
    from runner.recipe.judge import rules, validate

    told = {one.path for one in known}
    problems = [*known, *(one for one in validate.validate(config, origins, memory) if not _inside(one.path, told))]
    return problems + rules.check(config, origins, path, {one.path for one in problems})


def _in_files(files: Sequence[Document]) -> list[Found]:
    """The mistakes that reading found, under their keys in the whole recipe."""
    return [
        Found((*file.prefix, *known.path), known.order, known.problem) for file in files for known in file.file.problems
    ]


def _inside(path: KeyPath, told: set[KeyPath]) -> bool:
    return any(path[: len(known)] == known for known in told)


def refuse(problems: Sequence[Found], *, only: Sequence[Found]) -> None:
    """Raise all problems, in the order of their places, if there is one among `only`."""
    if only:
        ordered = sorted(problems, key=lambda known: (known.order, dotted(known.path)))
        raise RecipeError([known.problem for known in ordered])
