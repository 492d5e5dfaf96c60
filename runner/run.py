"""Run: select the stages that are missing, execute them, judge the checks, publish the artifact."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import runner.files as fs
from runner import artifact
from runner.engine import local
from runner.errors import StageError
from runner.judge import Judged, judge_all
from runner.plan import Plan, Stage, make_plan, refuse_misfit
from runner.recipe.types import Recipe
from runner.store import Entry, Store, cannot_write


@dataclass(frozen=True)
class Outcome:
    """What became of one recipe.

    Attributes:
        status: `published`, `up to date` or `rejected`.
        path: the version's folder, or the folder where a rejected model is kept.
        version: N of a published version.
        entries: key -> entry of each stage whose result counts.
        ran: keys of the stages that ran now.
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


def store_of(outputs: Path) -> Store:
    """The store that belongs to an outputs folder."""
    return Store(outputs / ".store")


def optimize(recipe: Recipe, outputs: Path, observer: local.Observer) -> Outcome:
    """Take a recipe from plan to published artifact.

    Raises:
        OvrunError: with the exit code of what went wrong; finished stages stay in the store.
    """
    start = time.monotonic()
    store = store_of(outputs)
    plan = make_plan(recipe, store)
    chosen = local.missing(plan, store)
    observer.planned(plan, chosen)
    log = None
    if chosen:
        store.check_writable()
        log = _new_log(outputs, recipe)
    entries = _execute(plan, chosen, store, log, observer)
    ran = frozenset(entries)
    entries |= {key: _found(store, key) for key in plan.targets if key not in entries}
    checks = judge_all(plan, entries)
    try:
        store.remember_recent(recipe.name, {stage.label: stage.document for stage in plan.stages})
        placed = artifact.place(plan, store, entries, checks, outputs)
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
    )


def _execute(
    plan: Plan, chosen: list[Stage], store: Store, log: Path | None, observer: local.Observer
) -> dict[str, Entry]:
    """Run the chosen stages; a fetched model's config.json is held against the recipe before the conversion."""

    def inspect(stage: Stage, entry: Entry) -> None:
        if stage.name == "fetch":
            refuse_misfit(plan.recipe, fs.read_json(entry.files / "config.json"))

    return local.execute(plan, chosen, store, log, observer, inspect) if log else {}


def _found(store: Store, key: str) -> Entry:
    entry = store.find(key)
    if entry is None:
        message = f"the store entry {key} vanished during the run"
        raise StageError(message)
    return entry


def _new_log(outputs: Path, recipe: Recipe) -> Path:
    folder = outputs / ".logs" / recipe.name
    path = folder / f"{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}.log"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        path.touch()
    except OSError as error:
        raise cannot_write(outputs, error) from error
    return path.resolve()
