"""Passes on to a run's observer what an engine tells, and lets the run act on it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from runner.base.values import listing

if TYPE_CHECKING:
    from runner.errors import OvrunError
    from runner.plan.types import Stage
    from runner.recipe.types import Recipe
    from runner.run.outcome import Observer
    from runner.store import Entry


class Following:
    """A watcher of one run.

    Args:
        done: called with each stage that is in the store, its entry, and whether another run made it.
        lost: called with each stage that could not be made, and why.
        recipe_of: the recipe in which an error of a stage has its place.
    """

    def __init__(
        self,
        observer: Observer,
        done: Callable[[Stage, Entry, bool], None],
        lost: Callable[[Stage, OvrunError], None],
        recipe_of: Callable[[Stage], Recipe],
    ) -> None:
        self.observer, self.done, self.lost, self.recipe_of = observer, done, lost, recipe_of

    def started(self, stage: Stage, worker: str) -> None:
        self.observer.started(stage, worker)

    def waiting(self, stage: Stage) -> None:
        self.observer.waiting(stage)

    def progress(self, stage: Stage, done: int, total: int) -> None:
        self.observer.progress(stage, done, total)

    def finished(self, stage: Stage, entry: Entry, reused: bool) -> None:
        self.observer.finished(stage, entry, reused)
        for sentence in listing(entry.result.get("warnings", [])):
            self.observer.warned(str(sentence))
        self.done(stage, entry, reused)

    def failed(self, stage: Stage, error: OvrunError) -> None:
        from runner.run.faults import placed

        self.observer.failed(stage, placed(error, self.recipe_of(stage), stage))
        self.lost(stage, error)
