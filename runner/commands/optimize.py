"""`ovrun optimize`: every recipe in turn; one that fails does not keep the others from running."""

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
    from runner.run.outcome import Finished


def arguments(parser: ArgumentParser) -> None:
    """Recipes, places, and what they may run."""
    options.recipe_words(parser)
    options.recipes(parser)
    options.outputs(parser)
    options.code(parser)
    options.undecided(parser)
    options.quiet(parser, "only the folders of the versions")
    options.json(parser, "print one JSON document instead of text, a list of several recipes")


def run(arguments: Namespace, output: Output) -> int:
    """Run all recipes; the exit code is that of the first failure."""
    recipes = load_all(arguments)
    documents: list[dict[str, object]] = []
    code = 0
    for recipe in recipes:
        end, error = _optimize_one(recipe, arguments, output)
        if end is not None:
            output.damaged(end.points[0].damaged)
            documents.append(_document(end))
        if error is not None:
            output.failed(error)
            code = code or error.exit_code
            if end is None:
                documents.append({"name": recipe.name, "status": "error", "errors": error.message.splitlines()})
    output.answer(documents[0] if len(recipes) == 1 else documents, ())
    return code


def _optimize_one(recipe: Recipe, arguments: Namespace, output: Output) -> tuple[Finished | None, OvrunError | None]:
    """The end of a recipe's run, and why nothing was published; after a missed gate there are both."""
    from runner import api

    display, failure = None, None
    allowed = {name: getattr(arguments, name) for name in ("allow_remote_code", "allow_code", "accept_undecided")}
    try:
        permit(recipe, arguments)
        display = output.run(recipe)
        with contextlib.closing(display):
            api.optimize(recipe, outputs=arguments.outputs, observer=display, **allowed)
    except OvrunError as error:
        failure = error
    return display.end if display else None, failure


def _document(finished: Finished) -> dict[str, object]:
    from runner.artifact.versions import read_manifest

    (outcome,) = finished.points
    assert outcome.path is not None
    manifest = read_manifest(outcome.path)
    return {
        "name": outcome.plan.recipe.name,
        "status": outcome.status,
        "path": str(outcome.path),
        "version": outcome.version,
        "seconds": round(finished.seconds, 3),
        "ran": [stage.label for stage in outcome.plan.stages if stage.key in finished.ran],
        "log": str(finished.log) if finished.log else None,
        "size": manifest["size"] if manifest else None,
        "checks": manifest["checks"] if manifest else None,
        "damaged": list(outcome.damaged),
    }
