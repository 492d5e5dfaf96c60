"""What a stage found wrong, told with the place in the recipe that it stems from, and what it means for a point."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import runner.base.files as fs
from runner.artifact.status import Status
from runner.engine.failures import NotRunError
from runner.errors import AccuracyError, OvrunError, Problem, RecipeError
from runner.model import listing
from runner.plan.builder import refuse_misfit
from runner.plan.types import Plan, Stage
from runner.recipe.judge.schemas import load_schema
from runner.recipe.types import Recipe
from runner.store import Entry


def check_fetched(plan: Plan, stage: Stage, entry: Entry) -> None:
    """Hold a fetched model's config.json and files against the recipe, as early as they can be known.

    Raises:
        RecipeError: the recipe does not fit the model.
    """
    if stage.name == "fetch" and stage.params == plan.located.fetch:
        files = {name: entry.files / name for name in listing.names(entry.files)}
        located = replace(plan.located, files=files)
        refuse_misfit(plan.recipe, located, fs.read_object(entry.files / "config.json"))


def status_after(error: OvrunError) -> Status:
    """The end of a point whose stage ended so."""
    if isinstance(error, AccuracyError):  # a stage that may not lose more than it was allowed
        return Status.REJECTED
    given_up = isinstance(error, NotRunError) and error.given_up
    return Status.NOT_RUN if given_up else Status.FAILED


def placed(error: OvrunError, recipe: Recipe, stage: Stage) -> OvrunError:
    """A stage does not know where a recipe's value was written; the recipe does."""
    if not isinstance(error, RecipeError):
        return error
    problems = []
    for problem in error.problems:
        given: dict[str, Any] = vars(problem)
        if not problem.where:
            key = _whole_key(problem.key, stage)
            given = {**given, "where": recipe.where(key), "key": key}
        problems.append(Problem(**given))
    whole = RecipeError(problems, hint=error.hint)
    whole.log = error.log
    return whole


def _whole_key(key: str, stage: Stage) -> str:
    """A key as the recipe has it: one that starts with no section of a recipe lies in the stage's own."""
    known = load_schema("recipe.schema.json")["properties"]
    return key if key.partition(".")[0] in known else ".".join(part for part in (stage.section, key) if part)
