"""The one lifecycle of a run: plan, make what is missing, judge, choose, publish. A recipe is a sweep of one point.

A point is published as soon as its last stage is done, unless the sweep selects one of them.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from runner.artifact import placing
from runner.artifact.status import Status
from runner.engine.watcher import Execute
from runner.errors import AccuracyError, OvrunError, StageError
from runner.plan.builder import make_plan
from runner.plan.graph import make_graph, plan_points
from runner.plan.types import Stage
from runner.recipe.types import Point, Recipe, Sweep
from runner.run.following import Following
from runner.run.judging import entries_of, judge_all, kept_back
from runner.run.outcome import Finished, Observer, Outcome
from runner.run.preflight import Preflight
from runner.run.resolution import unresolved
from runner.stages import JUDGED
from runner.store import Entry, Store, cannot_write, store_of
from runner.store.runs import under_way

if TYPE_CHECKING:
    from runner.artifact.types import SweepRecord

_ATTEMPTS = 3
"""How often a run makes what vanishes from the store under its hands."""


def optimize(recipe: Recipe, outputs: Path, observer: Observer, *, accept_undecided: bool = False) -> Finished:
    """Take a recipe from plan to published artifact; `accept_undecided` publishes an undecided model too.

    Raises:
        OvrunError: with the exit code of what went wrong; finished stages stay in the store. A missed gate is no error.
    """
    start, store = time.monotonic(), store_of(outputs)
    placing.refuse_foreign(outputs / recipe.name)
    outcome = Outcome(Point(recipe.name, {}, recipe), make_plan(recipe, store))
    alone = Sweep(recipe.name, (), [outcome.point])
    run = Run(alone, [outcome], store, outputs, observer, accept_undecided=accept_undecided)
    with under_way(store, (stage.key for stage in outcome.plan.stages)):
        run.execute(None, fail_fast=True)
    if outcome.error is not None:
        raise outcome.error
    return run.finished(start)


def run_sweep(
    sweep: Sweep,
    outputs: Path,
    observer: Observer,
    execute: Execute | None = None,
    *,
    fail_fast: bool = False,
    accept_undecided: bool = False,
) -> Finished:
    """Take every point of a sweep from plan to published artifact; a point that fails does not stop the others.

    `execute` is the engine, `runner.engine.local.execute` by default; `accept_undecided` is as of `optimize`.

    Raises:
        RecipeError: points do not fit their models; nothing has run.
        SourceError: models or data can't be had; nothing has run.
        StageError: the outputs folder can't be written.
        KeyboardInterrupt: what has finished is kept and recorded.
    """
    from runner.run import record

    start, store = time.monotonic(), store_of(outputs)
    for point in sweep.points:
        placing.refuse_foreign(outputs / point.name)
    plans = plan_points(sweep, store)
    points = [Outcome(point, plan) for point, plan in zip(sweep.points, plans, strict=True)]
    run = Run(sweep, points, store, outputs, observer, recorded=True, accept_undecided=accept_undecided)
    with under_way(store, (stage.key for plan in plans for stage in plan.stages)):
        try:
            run.execute(execute, fail_fast)
            run.select()
        finally:
            record.write(sweep, points, outputs, len(run.ran), time.monotonic() - start)
    return run.finished(start)


class Run:
    """The state of one run; `recorded` runs are those of sweeps."""

    def __init__(
        self,
        sweep: Sweep,
        points: list[Outcome],
        store: Store,
        outputs: Path,
        observer: Observer,
        *,
        recorded: bool = False,
        accept_undecided: bool = False,
    ) -> None:
        self.sweep, self.points, self.store, self.outputs, self.observer = sweep, points, store, outputs, observer
        self.recorded, self.accept_undecided = recorded, accept_undecided
        self.ran: set[str] = set()
        self.preflight = Preflight(store, [outcome.point.recipe for outcome in points])
        self.log: Path | None = None
        self.missing: dict[str, set[str]] = {}
        self.users: dict[str, list[Outcome]] = {}
        self.again: set[str] = set()

    def finished(self, start: float) -> Finished:
        """The end of a run that began at `start` of the monotonic clock, which its observer is told."""
        ran, duration = frozenset(self.ran), time.monotonic() - start
        end = Finished(self.sweep.name, self.points, self.sweep.select, ran, self.log, duration)
        self.observer.ended(end)
        return end

    def execute(self, execute: Execute | None, fail_fast: bool) -> None:
        """Run what is missing; what somebody removes from the store meanwhile is made again."""
        waiting = self.points
        for attempt in range(_ATTEMPTS):
            graph = make_graph([outcome.plan for outcome in waiting])
            needed = graph.needed(self.store)
            if attempt == 0:
                self.observer.planned(graph, needed)
                for sentence in unresolved(outcome.point.recipe for outcome in waiting if needed):
                    self.observer.warned(sentence)
            self._await(waiting, needed)
            self._execute(needed, execute, fail_fast)
            waiting = [outcome for outcome in waiting if outcome.is_open]
            if not waiting:
                break
        for outcome in waiting:
            message = f"entries of {self.store.root} vanish as soon as they are made"
            self._fail(outcome, StageError(message, hint="Something else removes or changes files there."))
        with contextlib.suppress(OSError, StageError):  # the store may be readable alone
            self.store.tidy()
        self.preflight.save()

    def _await(self, points: Sequence[Outcome], needed: Sequence[Stage]) -> None:
        """Note which stages each point waits for; finish those that wait for none."""
        keys = {stage.key for stage in needed}
        self.users, self.again = {}, set()
        found: dict[str, Entry | None] = {}
        for outcome in points:
            mine = {stage.key for stage in outcome.plan.stages} & keys
            self.missing[outcome.point.name] = mine
            for key in mine:
                self.users.setdefault(key, []).append(outcome)
            converted = outcome.plan.converted
            if converted not in keys | found.keys():
                found[converted] = self.store.find(converted)
            if entry := found.get(converted):
                self._refuse(outcome, entry)
            if not mine and outcome.is_open:
                self._finish(outcome)

    def _execute(self, needed: Sequence[Stage], execute: Execute | None, fail_fast: bool) -> None:
        """Fetch models first, hold them against their points, then run all that is left."""
        if not needed:
            return
        self.store.check_writable()
        log_of = self._logs()
        if execute is None:
            from runner.engine import local

            execute = local.execute
        following = Following(self.observer, self.done, self.lost, lambda stage: self.users[stage.key][0].point.recipe)
        for fetches in (True, False):
            stages = [stage for stage in needed if (stage.name == "fetch") is fetches and self._wanted(stage)]
            if stages:
                for sentence in self.preflight.look(stages):  # how large a model of a hub is shows when it is fetched
                    self.observer.warned(sentence)
                results = execute(stages, self.store, log_of, following, fail_fast=fail_fast)
                for stage in stages:
                    if error := results.get(stage.key):
                        self.lost(stage, error)

    def _logs(self) -> Callable[[Stage], Path]:
        """One log for a recipe's stages, one each for a sweep's."""
        from runner.run.logs import new_log, new_logs

        if not self.recorded:
            log = self.log = self.log or new_log(self.outputs, self.sweep.name)
            return lambda stage: log
        folder = self.log = self.log or new_logs(self.outputs, self.sweep.name)
        return lambda stage: folder / f"{stage.name}-{stage.key[:12]}.log"

    def _wanted(self, stage: Stage) -> bool:
        return any(outcome.is_open for outcome in self.users[stage.key])

    def done(self, stage: Stage, entry: Entry, reused: bool) -> None:
        """A stage is in the store: judge and publish the points that waited for it alone.

        Raises AccuracyError for a converted model that is too far from its original for all of them.
        """
        from runner.run.faults import check_fetched

        if not reused:
            self.ran.add(stage.key)
            self.preflight.note(stage, entry)
        users = self.users.get(stage.key, ())
        for outcome in users:
            self.missing[outcome.point.name].discard(stage.key)
            if not outcome.is_open:
                continue
            try:
                check_fetched(outcome.plan, stage, entry)
            except OvrunError as error:
                self._fail(outcome, error)
            if stage.key == outcome.plan.converted:
                self._refuse(outcome, entry)
            if outcome.is_open and not self.missing[outcome.point.name]:
                self._finish(outcome)
        refusals = [outcome.error for outcome in users if isinstance(outcome.error, AccuracyError)]
        if stage.name in JUDGED and len(refusals) == len(users) > 0:
            raise refusals[0]  # nobody needs what would be made of it

    def _refuse(self, outcome: Outcome, converted: Entry) -> None:
        """End a point whose converted model is too far from its original."""
        from runner.run.conversion import refused

        if error := refused(outcome, converted, self.store, self.outputs, self._sweep_of(outcome)):
            self._fail(outcome, error)

    def lost(self, stage: Stage, error: OvrunError) -> None:
        """A stage could not be made: neither can the points that need it, unless what it reads has vanished."""
        from runner.engine.failures import NotRunError
        from runner.run.faults import placed

        if not isinstance(error, NotRunError) and not all(self.store.has(key) for key in stage.after.values()):
            self.again.update(outcome.point.name for outcome in self.users[stage.key])
        for outcome in self.users[stage.key]:
            if outcome.is_open and outcome.point.name not in self.again:
                self._fail(outcome, placed(error, outcome.point.recipe, stage))

    def _fail(self, outcome: Outcome, error: OvrunError) -> None:
        from runner.run.faults import status_after

        outcome.status, outcome.error, outcome.reason = status_after(error), error, error.message
        self.observer.point(outcome)

    def _finish(self, outcome: Outcome) -> None:
        """Judge a point whose results are all there, and publish it unless one is to be selected."""
        entries = entries_of(outcome.plan, self.store)
        if entries is None:
            return
        outcome.checks = judge_all(outcome.plan, entries)
        if self.recorded:
            from runner.run import record

            outcome.row = record.row(outcome.plan, self.store, entries, outcome.checks)
        if not all(judged.lets_pass(undecided=self.accept_undecided) for judged in outcome.checks):
            outcome.status, outcome.reason = kept_back(outcome.checks)
        elif self.sweep.select is not None:
            outcome.status = Status.READY
            self.observer.point(outcome)
            return
        self._place(outcome, entries)

    def _place(self, outcome: Outcome, entries: Mapping[str, Entry]) -> None:
        plan, name, sweep, accept = outcome.plan, outcome.point.name, self._sweep_of(outcome), self.accept_undecided
        try:
            self.store.remember_recent(name, {stage.label: stage.document for stage in plan.stages}, plan.recipe.path)
            found = outcome.checks
            at = placing.place(plan, self.store, entries, found, self.outputs, sweep, accept_undecided=accept)
        except OSError as error:
            raise cannot_write(self.outputs, error) from error
        outcome.status, outcome.path, outcome.version, outcome.damaged = at.status, at.path, at.version, at.damaged
        self.observer.point(outcome)

    def _sweep_of(self, outcome: Outcome) -> SweepRecord | None:
        """What the manifest of a sweep's point says of that."""
        return {"name": self.sweep.name, "settings": dict(outcome.point.settings)} if self.recorded else None

    def select(self) -> None:
        """Publish the best of the points that could be published."""
        if self.sweep.select is None:
            return
        from runner.run.choosing import best

        ready = [outcome for outcome in self.points if outcome.status == Status.READY]
        chosen, reasons = best(self.sweep.select, [outcome.row for outcome in ready if outcome.row is not None])
        for index, outcome in enumerate(ready):
            if index == chosen:
                self._publish_chosen(outcome)
            else:
                outcome.status = Status.REJECTED if reasons[index] is not None else Status.NOT_SELECTED
                outcome.reason = reasons[index]
                self.observer.point(outcome)

    def _publish_chosen(self, outcome: Outcome) -> None:
        if entries := entries_of(outcome.plan, self.store):
            self._place(outcome, entries)
        else:
            self._fail(outcome, StageError(f"entries of {self.store.root} vanished before the best point was chosen"))
