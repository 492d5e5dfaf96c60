"""Code runs only with the person's own word: what comes with a model, and what a recipe names as model or metric."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from runner.errors import Problem, RecipeError
from runner.recipe.types import Recipe
from runner.registry.sources import SOURCES

COMMAND_LINE = {
    "remote": "--allow-remote-code on the command line",
    "own": "--allow-code on the command line",
}
PYTHON = {"remote": "allow_remote_code=True", "own": "allow_code=True"}
"""Whose code -> how a person allows it."""


def refuse_code(recipes: Iterable[Recipe], *, remote: bool, own: bool, words: Mapping[str, str] = COMMAND_LINE) -> None:
    """Refuse recipes that run Python code, unless that is allowed.

    Args:
        remote: whether code that comes with a model may run.
        own: whether code may run that a recipe names as its model or as a metric.
        words: how a person allows either.

    Raises:
        RecipeError: with the place of `trust_remote_code`, of the model, or of the metric.
    """
    problems = {
        (recipe.model, key, what): Problem(recipe.where(key), key, what, f"that needs your own word: {words[whose]}")
        for recipe in recipes
        for whose, key, what in _runs(recipe)
        if not {"remote": remote, "own": own}[whose]
    }
    if problems:
        raise RecipeError(list(problems.values()))


def _runs(recipe: Recipe) -> Iterator[tuple[str, str, str]]:
    """Whose code a recipe runs, which key says so, and that in words."""
    model = recipe.model
    if model.trust_remote_code:
        yield "remote", "model.trust_remote_code", "this recipe runs Python code that comes with its model"
    if SOURCES[model.source].code and model.path:
        what = "this recipe runs the Python code of" if model.code else "code can run when PyTorch reads"
        yield "own", "model.path", f"{what} {model.path.name}"
    for key, metric in recipe.own_metrics:
        yield "own", f"{key}.path", f"this recipe runs the Python code of {metric.file.name} as a metric"
