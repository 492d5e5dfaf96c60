"""Code that comes with a model runs only with the person's own word."""

from __future__ import annotations

from collections.abc import Iterable

from runner.errors import Problem, RecipeError
from runner.recipe.types import Recipe


def refuse_remote_code(
    recipes: Iterable[Recipe], *, allowed: bool, by: str = "--allow-remote-code on the command line"
) -> None:
    """Refuse recipes that run Python code of their model, unless that is allowed.

    Args:
        by: how a person allows it.

    Raises:
        RecipeError: with the place of `trust_remote_code`.
    """
    problems = {}
    for recipe in recipes:
        if recipe.model.trust_remote_code and not allowed:
            key = "model.trust_remote_code"
            what = "this recipe runs Python code that comes with its model"
            problems[recipe.model] = Problem(recipe.where(key), key, what, f"that needs your own word: {by}")
    if problems:
        raise RecipeError(list(problems.values()))
