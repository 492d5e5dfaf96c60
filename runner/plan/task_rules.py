"""A check by a metric of lm-evaluation-harness names one that its task file measures."""

from __future__ import annotations

from collections.abc import Iterator

from runner.base.words import missing
from runner.data import task_file
from runner.errors import Problem
from runner.recipe.origins import show_path
from runner.recipe.types import Recipe
from runner.registry.metrics import family_of

GIVES, _PREFIX = "task scores", "lm_eval_"


def not_measured(recipe: Recipe) -> Iterator[Problem]:
    """A problem for each check whose metric, or whose filter, the task doesn't name.

    Raises:
        RecipeError, SourceError: a task file is wrong.
    """
    for position, check in enumerate(recipe.accuracy.checks):
        if check.own or GIVES not in family_of(check.metric).rows:
            continue
        dataset, at = recipe.datasets[check.dataset], f"accuracy.checks.{position}"
        found, name = task_file.read(dataset).measures, check.metric.removeprefix(_PREFIX)
        if name not in found.metrics:
            what = f"{show_path(dataset.path)}: {missing('metric of the task', name, found.metrics)}"
            yield Problem(recipe.where(f"{at}.metric"), f"{at}.metric", what, "name it in `metric_list` of the task")
        chosen = check.params.get("filter")
        if isinstance(chosen, str) and chosen and chosen not in found.filters:
            what = f"{show_path(dataset.path)}: {missing('filter of the task', chosen, found.filters)}"
            yield Problem(recipe.where(f"{at}.filter"), f"{at}.filter", what)
