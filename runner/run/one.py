"""Run: select the stages that are missing, execute them, judge the checks, publish the artifact."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import runner.base.files as fs
from runner.artifact import placing
from runner.engine.watcher import Watcher
from runner.errors import OvrunError, Problem, RecipeError, StageError
from runner.metrics.gates import Judged
from runner.plan.builder import make_plan, refuse_misfit
from runner.plan.graph import make_graph
from runner.plan.types import Plan, Stage
from runner.recipe.types import Recipe
from runner.run.judging import judge_all
from runner.store import Entry, Store, cannot_write, store_of
from runner.store.runs import under_way

_ATTEMPTS = 3
"""How often a run makes what vanishes from the store under its hands."""


@dataclass(frozen=True)
class Outcome:
    """What became of one recipe.

    Attributes:
        status: `published`, `up to date` or `rejected`.
        path: the version's folder, or the folder where a rejected model is kept.
        version: N of a published version.
        entries: key -> entry of each stage whose result counts.
        ran: keys of the stages that ran now.
        damaged: versions that were found damaged now, a sentence each.
    """

    plan: Plan
    status: str
    path: Path
    version: int | None
    checks: tuple[Judged, ...]
    entries: Mapping[str, Entry]
    ran: frozenset[str]
    log: Path | None
    seconds: float
    damaged: tuple[str, ...] = ()


class Observer(Watcher, Protocol):
    """Who watches the run of one recipe."""

    def planned(self, plan: Plan, chosen: Sequence[Stage]) -> None: ...


def optimize(recipe: Recipe, outputs: Path, observer: Observer) -> Outcome:
    """Take a recipe from plan to published artifact.

    Raises:
        OvrunError: with the exit code of what went wrong; finished stages stay in the store.
    """
    start = time.monotonic()
    store = store_of(outputs)
    placing.refuse_foreign(outputs / recipe.name)
    plan = make_plan(recipe, store)
    with under_way(store, (stage.key for stage in plan.stages)):
        chosen = make_graph([plan]).needed(store)
        observer.planned(plan, chosen)
        entries, ran, log = _obtain(plan, chosen, store, outputs, observer)
        checks = judge_all(plan, entries)
        try:
            store.remember_recent(recipe.name, {stage.label: stage.document for stage in plan.stages}, recipe.path)
            placed = placing.place(plan, store, entries, checks, outputs)
        except OSError as error:
            raise cannot_write(outputs, error) from error
    return Outcome(
        plan=plan,
        status=placed.status,
        path=placed.path,
        version=placed.version,
        checks=checks,
        entries=entries,
        ran=ran,
        log=log,
        seconds=time.monotonic() - start,
        damaged=placed.damaged,
    )


def _obtain(
    plan: Plan, chosen: Sequence[Stage], store: Store, outputs: Path, observer: Observer
) -> tuple[dict[str, Entry], frozenset[str], Path | None]:
    """The entries of the plan's targets and of all that ran, which stages those were, and their log.

    What somebody removes from the store meanwhile is made again.
    """
    made: dict[str, Entry] = {}
    log = None
    for _ in range(_ATTEMPTS):
        if chosen:
            store.check_writable()
            log = log or new_log(outputs, plan.recipe.name)
            made |= _execute(plan, chosen, store, log, observer)
        found = {key: store.find(key) for key in plan.targets}
        if all(found.values()):
            entries = made | {key: entry for key, entry in found.items() if entry is not None}
            return entries, frozenset(made), log
        chosen = make_graph([plan]).needed(store)
    message = f"entries of {store.root} vanish as soon as they are made"
    raise StageError(message, hint="Something else removes or changes files there.")


def _execute(plan: Plan, chosen: Sequence[Stage], store: Store, log: Path, observer: Observer) -> dict[str, Entry]:
    """Run the chosen stages; a fetched model's config.json is held against the recipe before the conversion.

    Raises:
        OvrunError: of the first stage that fails; what finished before stays in the store.
    """
    from runner.engine import local

    made: dict[str, Entry] = {}
    fetches = [stage for stage in chosen if stage.name == "fetch"]
    for stages in (fetches, [stage for stage in chosen if stage.name != "fetch"]):
        if not stages:
            continue
        results = local.execute(stages, store, lambda stage: log, observer, fail_fast=True)
        for key, error in results.items():
            if error is not None:
                if not all(store.has(one) for one in plan.stage(key).after.values()):
                    return made  # what it reads has vanished
                raise placed(error, plan.recipe, plan.stage(key))
        for key in results:
            entry = store.find(key)
            if entry is not None:
                made[key] = entry
                check_fetched(plan, plan.stage(key), entry)
    return made


def check_fetched(plan: Plan, stage: Stage, entry: Entry) -> None:
    """Hold a fetched model's config.json against the recipe, as early as it can be known.

    Raises:
        RecipeError: the recipe does not fit the model.
    """
    if stage.name == "fetch":
        refuse_misfit(plan.recipe, fs.read_json(entry.files / "config.json"))


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
    from runner.recipe.judge.schemas import load_schema

    known = load_schema("recipe.schema.json")["properties"]
    return key if key.partition(".")[0] in known else ".".join(part for part in (stage.section, key) if part)


def new_log(outputs: Path, name: str) -> Path:
    """An empty log file for a run of a recipe.

    Raises:
        StageError: outputs can't be written.
    """
    path = _log_path(outputs, name).with_suffix(".log")
    try:
        fs.own_file(path).touch()
    except OSError as error:
        raise cannot_write(outputs, error) from error
    return path.resolve()


def new_logs(outputs: Path, name: str) -> Path:
    """An empty folder for the logs of a sweep.

    Raises:
        StageError: outputs can't be written.
    """
    path = _log_path(outputs, name)
    try:
        path.mkdir()
    except OSError as error:
        raise cannot_write(outputs, error) from error
    return path.resolve()


def _log_path(outputs: Path, name: str) -> Path:
    try:
        folder = fs.own_folder(outputs, ".logs", name)
    except OSError as error:
        raise cannot_write(outputs, error) from error
    return folder / f"{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}"
