"""`ovrun noise`: by how much the reference of each check differs from itself, where nothing should make it differ."""

from __future__ import annotations

import contextlib
from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING

from runner.commands import options
from runner.commands.loading import load_all, permit
from runner.errors import OvrunError
from runner.report.output import Output

if TYPE_CHECKING:
    from runner.recipe import Recipe
    from runner.run.noise import Floors


def arguments(parser: ArgumentParser) -> None:
    """Recipes, places, and what they may run."""
    options.recipe_words(parser)
    options.recipes(parser)
    options.outputs(parser)
    options.code(parser)
    options.quiet(parser, "only a line a check: metric, dataset, floor")
    options.json(parser, "print one JSON document instead of text, a list of several recipes")


def run(arguments: Namespace, output: Output) -> int:
    """Measure all recipes; the exit code is that of the first failure."""
    from runner.report import noise_table

    recipes = load_all(arguments)
    documents: list[dict[str, object]] = []
    code = 0
    for recipe in recipes:
        try:
            floors = _measure(recipe, arguments, output)
        except OvrunError as error:
            if len(recipes) == 1:
                raise
            output.failed(error)
            code = code or error.exit_code
            documents.append({"name": recipe.name, "status": "error", "errors": error.message.splitlines()})
        else:
            output.say(noise_table.lines(floors), noise_table.quiet(floors))
            documents.append(noise_table.document(floors))
    output.answer(documents[0] if len(recipes) == 1 else documents, ())
    return code


def _measure(recipe: Recipe, arguments: Namespace, output: Output) -> Floors:
    from runner import api

    permit(recipe, arguments)
    allowed = {name: getattr(arguments, name) for name in ("allow_remote_code", "allow_code")}
    with contextlib.closing(output.stages(recipe)) as display:
        return api.noise(recipe, outputs=arguments.outputs, observer=display, **allowed)
