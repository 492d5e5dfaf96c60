"""From the name of a recipe to a validated `Recipe`, with every mistake at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from runner.errors import RecipeError
from runner.recipe import build, documents, interpolation, search
from runner.recipe import overrides as command_line
from runner.recipe.documents import Document
from runner.recipe.origins import Found, KeyPath, Origins, dotted
from runner.recipe.types import Recipe


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
    from runner.recipe import compose

    parsed = compose.parse(overrides)
    folders = list(dict.fromkeys([path.parent, *search.folders(recipes_dir)]))
    files, problems = documents.collect(path, folders, command_line.choices(parsed))
    problems = [*_in_files(files), *problems]
    _raise(problems, only=[known for known in problems if known.path[:1] == ("defaults",)])
    config, origins = compose.compose(files)
    problems += command_line.apply(config, origins, parsed)
    config, unresolved = interpolation.resolve(config, origins)
    problems += unresolved
    problems = judge(config, origins, path, problems)
    _raise(problems, only=problems)
    return build.build(config, origins, path)


def judge(config: Mapping[str, Any], origins: Origins, path: Path, known: Sequence[Found] = ()) -> list[Found]:
    """What is wrong with composed values: what is known already, what the schemas say, and what the rules say."""
    from runner.recipe import rules, validate

    told = {one.path for one in known}
    problems = [*known, *(one for one in validate.validate(config, origins) if not _inside(one.path, told))]
    return problems + rules.check(config, origins, path, {one.path for one in problems})


def _in_files(files: Sequence[Document]) -> list[Found]:
    """The mistakes that reading found, under their keys in the whole recipe."""
    return [
        Found((*file.prefix, *known.path), known.order, known.problem) for file in files for known in file.file.problems
    ]


def _inside(path: KeyPath, told: set[KeyPath]) -> bool:
    return any(path[: len(known)] == known for known in told)


def _raise(problems: Sequence[Found], *, only: Sequence[Found]) -> None:
    """Raise all problems if there is one among `only`."""
    if only:
        ordered = sorted(problems, key=lambda known: (known.order, dotted(known.path)))
        raise RecipeError([known.problem for known in ordered])
