"""The words of a command line as recipes and sweeps, with every mistake in any of them told at once."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from runner.base.paths import is_file
from runner.errors import Problem, RecipeError, UsageError
from runner.recipe.permission import refuse_code

if TYPE_CHECKING:
    from runner.recipe import Recipe, Sweep

Loaded = TypeVar("Loaded")


def split_words(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """Names of recipes, and overrides: the words with `=`, or with Hydra's `~` for taking a key out."""
    names = [word for word in words if _is_name(word)]
    return names, [word for word in words if not _is_name(word)]


def _is_name(word: str) -> bool:
    """Whether a word names a recipe: `runs/lr=1/a.yaml` and a file called `a=b.yaml` do too, for no key has a slash."""
    key, equals, _ = word.partition("=")
    if not equals and not word.startswith("~"):
        return True
    if "/" in key or "\\" in key:
        return True
    return word.endswith((".yaml", ".yml")) and is_file(Path(word))


def load_all(arguments: Namespace) -> list[Recipe]:
    """Load every recipe that is named, with the overrides."""
    from runner import api

    names, overrides = split_words(arguments.words)
    return _each(names, lambda name: api.load(name, overrides, recipes_dir=arguments.recipes))


def load_sweeps(arguments: Namespace) -> list[Sweep]:
    """Load the points of every recipe that is named, or matched by a pattern."""
    from runner.recipe import load_sweep, matching_recipes

    words, overrides = split_words(arguments.words)
    names = matching_recipes(words, arguments.recipes)
    return _each(names, lambda name: load_sweep(name, overrides, recipes_dir=arguments.recipes))


def _each(names: Sequence[str], load: Callable[[str], Loaded]) -> list[Loaded]:
    if not names:
        raise UsageError([Problem("command line", "", "no recipe is named", "name one, or see `ovrun list`")])
    loaded: list[Loaded] = []
    errors: list[RecipeError] = []
    for name in names:
        try:
            loaded.append(load(name))
        except RecipeError as error:
            errors.append(error)
    if errors:
        problems = dict.fromkeys(problem for error in errors for problem in error.problems)
        raise RecipeError(problems, hint=next((error.hint for error in errors if error.hint), None))
    return loaded


def permit_all(sweep: Sweep, arguments: Namespace) -> None:
    """Refuse a sweep if one of its points runs code that nobody allowed."""
    _permit([point.recipe for point in sweep.points], arguments)


def permit(recipe: Recipe, arguments: Namespace) -> None:
    """Refuse a recipe that runs code that nobody allowed."""
    _permit([recipe], arguments)


def _permit(recipes: list[Recipe], arguments: Namespace) -> None:
    refuse_code(recipes, remote=arguments.allow_remote_code, own=arguments.allow_code)
