"""ovrun from Python: what the command line does, as functions.

    from runner import api

    version = api.optimize("digits-int8", ["compression.subset_size=100"])
    model = version.load()
    rows = api.report()                       # pandas.DataFrame(rows)

ovrun prints nothing (libraries that `Version.load` imports may log). What is wrong is raised as one of the errors of
`runner.errors`, in the words of the command line; a finished stage is never lost. Relative paths start at the current
folder.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from runner.errors import (
    AccuracyError,
    OvrunError,
    Problem,
    RecipeError,
    SourceError,
    StageError,
    UsageError,
)
from runner.plan.states import PlannedStage

if TYPE_CHECKING:
    from runner.artifact.published import Version
    from runner.engine.watcher import Execute
    from runner.recipe.types import Recipe, Sweep
    from runner.run.noise import Floors
    from runner.run.outcome import Finished, Observer, Outcome

__all__ = [
    "AccuracyError",
    "OvrunError",
    "PlannedStage",
    "Problem",
    "RecipeError",
    "SourceError",
    "StageError",
    "UsageError",
    "Version",
    "load",
    "noise",
    "optimize",
    "plan",
    "report",
    "sweep",
    "versions",
]

PathLike = str | os.PathLike[str]
OUTPUTS = "outputs"


def __getattr__(name: str) -> type[Version]:
    """`Version` is imported where it is used: planning has none."""
    if name == "Version":
        from runner.artifact.published import Version

        return Version
    message = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(message)


def load(name: PathLike, overrides: Sequence[str] = (), *, recipes_dir: PathLike | None = None) -> Recipe:
    """Compose, validate and build a recipe.

    Args:
        name: of a recipe, or a path to a .yaml file.
        overrides: `key=value`, `group=preset` or `~key`, in Hydra's grammar.
        recipes_dir: the folder of your recipes and presets, instead of ./recipes.

    Raises:
        RecipeError: it can't be found, or has mistakes: `error.problems` has all of them, each with its place.
    """
    from runner.recipe import load_recipe

    return load_recipe(os.fspath(name), overrides, recipes_dir=_maybe(recipes_dir))


def plan(
    recipe: PathLike | Recipe,
    overrides: Sequence[str] = (),
    *,
    outputs: PathLike = OUTPUTS,
    recipes_dir: PathLike | None = None,
) -> list[PlannedStage]:
    """The stages of a recipe in the order of their data, and what of them is there already. Nothing is made.

    Args:
        recipe: one that was loaded, or what `load` takes.

    Raises:
        RecipeError: as `load`, or it does not fit its model.
        SourceError: the model or a dataset can't be had or read.
    """
    from runner.engine.estimate import expected
    from runner.plan.builder import make_plan
    from runner.plan.states import planned
    from runner.store import store_of

    store = store_of(Path(outputs))
    made = make_plan(_recipe(recipe, overrides, recipes_dir), store)
    return expected(planned(made, store), made.stages, store)


def optimize(
    recipe: PathLike | Recipe,
    overrides: Sequence[str] = (),
    *,
    outputs: PathLike = OUTPUTS,
    recipes_dir: PathLike | None = None,
    allow_remote_code: bool = False,
    allow_code: bool = False,
    accept_undecided: bool = False,
    observer: Observer | None = None,
) -> Version:
    """Take a recipe from validation to a published version, or to the one that is up to date.

    Args:
        recipe: one that was loaded, or what `load` takes.
        allow_remote_code: let a recipe with `trust_remote_code` run the code that comes with its model.
        allow_code: let a recipe run the code of its own: the file of a model (`source: pytorch`) or of a metric.
        accept_undecided: publish a model of which a check with `decide: bound` can't tell.
        observer: is told how far the run is, and of its end, a missed gate's too.

    Raises:
        RecipeError: as `load`, or it does not fit its model.
        SourceError: the model or a dataset can't be had or read.
        AccuracyError: a gate was missed, or a check is undecided; nothing was published.
        StageError: a stage failed, or `outputs` can't be written.
    """
    from runner.artifact.status import Status
    from runner.metrics.gates import missed, undecided
    from runner.recipe.permission import PYTHON, refuse_code
    from runner.run import lifecycle
    from runner.run.outcome import Silent

    loaded = _recipe(recipe, overrides, recipes_dir)
    refuse_code([loaded], remote=allow_remote_code, own=allow_code, words=PYTHON)
    watching = observer or Silent()
    (outcome,) = lifecycle.optimize(loaded, Path(outputs), watching, accept_undecided=accept_undecided).points
    if outcome.status in (Status.REJECTED, Status.UNDECIDED):
        told = missed if outcome.status == Status.REJECTED else undecided
        raise told(loaded.name, str(outcome.reason))
    return _version(outcome)


def noise(
    recipe: PathLike | Recipe,
    overrides: Sequence[str] = (),
    *,
    outputs: PathLike = OUTPUTS,
    recipes_dir: PathLike | None = None,
    allow_remote_code: bool = False,
    allow_code: bool = False,
    observer: Observer | None = None,
) -> Floors:
    """Measure the noise floor of each check: the reference against itself in ways that should change nothing.

    `checks` of what is returned has them in the recipe's order. What was measured before is taken from the store.

    Raises:
        RecipeError: as `load`, it does not fit its model, or none of its checks can have a noise floor.
        SourceError: the model or a dataset can't be had or read.
        AccuracyError: the converted model is too far from its original.
        StageError: a stage failed, or `outputs` can't be written.
    """
    from runner.recipe.permission import PYTHON, refuse_code
    from runner.run.noise import measure
    from runner.run.outcome import Silent

    loaded = _recipe(recipe, overrides, recipes_dir)
    refuse_code([loaded], remote=allow_remote_code, own=allow_code, words=PYTHON)
    return measure(loaded, Path(outputs), observer or Silent())


def sweep(
    name: PathLike | Sweep,
    overrides: Sequence[str] = (),
    *,
    outputs: PathLike = OUTPUTS,
    recipes_dir: PathLike | None = None,
    jobs: int = 1,
    fail_fast: bool = False,
    allow_remote_code: bool = False,
    allow_code: bool = False,
    accept_undecided: bool = False,
    observer: Observer | None = None,
    execute: Execute | None = None,
) -> Finished:
    """Run every point of a recipe with lists of values; shared work is done once.

    A point that fails or misses a gate does not stop the others: `points` of what is returned has the status, the
    folder, the figures and the error of each.

    Args:
        name: of a recipe, or a path to a .yaml file; overrides may list values, `key=value,value`.
        jobs: how many worker processes of this machine share the work; more than one needs `ovrun[cluster]`.
        accept_undecided: as of `optimize`.
        observer: is told how far the run is, and of each point's end.
        execute: the engine instead of those, such as `runner.engine.pick.engine(scheduler="tls://host:8786")`.

    Raises:
        RecipeError: points have mistakes, or do not fit their models; nothing has run.
        SourceError: models or data can't be had; nothing has run.
        StageError: `outputs` can't be written.
    """
    from runner.engine.pick import engine
    from runner.recipe.permission import PYTHON, refuse_code
    from runner.recipe.points.sweep import load_sweep
    from runner.recipe.types import Sweep
    from runner.run import lifecycle
    from runner.run.outcome import Silent

    loaded = (
        name if isinstance(name, Sweep) else load_sweep(os.fspath(name), overrides, recipes_dir=_maybe(recipes_dir))
    )
    recipes = [point.recipe for point in loaded.points]
    refuse_code(recipes, remote=allow_remote_code, own=allow_code, words=PYTHON)
    given = {"fail_fast": fail_fast, "accept_undecided": accept_undecided}
    return lifecycle.run_sweep(loaded, Path(outputs), observer or Silent(), execute or engine(jobs), **given)


def versions(name: str | None = None, *, outputs: PathLike = OUTPUTS) -> list[Version]:
    """The published versions of a recipe, or of all, the oldest first."""
    from runner.artifact import record
    from runner.artifact.named import homes
    from runner.artifact.published import Version

    found = [home for home in homes(Path(outputs)) if name in (None, home.name)]
    return [Version(folder) for home in found for _, folder in sorted(record.folders(home, record.load(home)).items())]


def report(
    names: Sequence[str] = (), *, outputs: PathLike = OUTPUTS, sort: str | None = None, reverse: bool = False
) -> list[dict[str, object]]:
    """A flat row for each version, each model that missed a gate, and each point of the last run of a sweep.

    Sizes are bytes, times seconds; a swept key is a column by its name, a metric one by `metric` or `metric@dataset`.

    Args:
        names: recipes, sweeps, points, versions or patterns with `*`; none of them means all.
        sort: a column, the best first; without one, sweeps come in the order of their points, and the rest by name.
        reverse: the other way round.

    Raises:
        UsageError: a name stands for nothing, or there is no such column.
    """
    from runner.report.columns import chosen
    from runner.report.rows import collect

    folder = Path(outputs)
    table, found = chosen(collect(folder).rows, names, folder, sort=sort, reverse=reverse)
    rows = []
    for row in found:
        plain = {name: getattr(row, name) for name in _COLUMNS}
        settings = {column.ident: table.value(row, column) for column in table.settings}
        figures = {column.ident: table.value(row, column) for column in table.metrics}
        rows.append(plain | settings | figures)
    return rows


_COLUMNS = (
    *("name", "version", "status", "reason", "sweep", "place", "size", "converted_size", "size_ratio"),
    *("seconds", "peak_memory", "created"),
)


def _recipe(recipe: PathLike | Recipe, overrides: Sequence[str], recipes_dir: PathLike | None) -> Recipe:
    if isinstance(recipe, str | os.PathLike):
        return load(recipe, overrides, recipes_dir=recipes_dir)
    if overrides:
        raise UsageError([Problem("", "", "overrides are for a recipe by its name; this one is loaded already")])
    return recipe


def _maybe(path: PathLike | None) -> Path | None:
    return None if path is None else Path(path)


def _version(outcome: Outcome) -> Version:
    from runner.artifact.published import Version

    assert outcome.path is not None
    return Version(outcome.path)
