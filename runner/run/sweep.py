"""Sweep: plan all points as one graph, run what is missing once, judge each point, choose, publish, keep a record.

A point is published as soon as its last stage is done, unless the sweep selects one of them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

import runner.base.files as fs
from runner.artifact import placing
from runner.artifact.manifest import check_record, sizes
from runner.engine import local
from runner.engine.watcher import Execute, Watcher
from runner.errors import AccuracyError, OvrunError, StageError
from runner.metrics.gates import Judged, missed_gates
from runner.plan.graph import Graph, make_graph, plan_points
from runner.plan.types import Plan, Stage
from runner.recipe.points.sweep import Point, Sweep
from runner.run.choosing import best
from runner.run.judging import judge_all
from runner.run.one import check_fetched, new_logs, placed
from runner.store import Entry, Store, cannot_write, store_of
from runner.store.runs import under_way

PUBLISHED, UP_TO_DATE, REJECTED = "published", "up to date", "rejected"
FAILED, NOT_RUN, NOT_SELECTED, READY = "failed", "not run", "not selected", "ready"


@dataclass
class PointOutcome:
    """What has become of a point so far.

    Attributes:
        status: `published`, `up to date`, `rejected` (it missed a gate), `failed`, `not selected`, or `not run`; and
            `ready` for one that waits for the others to be chosen from.
        reason: why it is not published.
        error: what made it fail.
        row: its size, checks and cost, as the record of a sweep has them.
        damaged: versions of the same content that were found damaged now, a sentence each.
    """

    point: Point
    plan: Plan
    status: str = NOT_RUN
    reason: str | None = None
    error: OvrunError | None = None
    path: Path | None = None
    version: int | None = None
    row: Mapping[str, Any] | None = None
    damaged: tuple[str, ...] = ()


class SweepObserver(Watcher, Protocol):
    """Who watches a sweep."""

    def planned(self, graph: Graph, needed: Sequence[Stage]) -> None: ...

    def point(self, outcome: PointOutcome) -> None: ...


@dataclass(frozen=True)
class SweepOutcome:
    """The end of a sweep: its points in their order, and how many stages ran now."""

    sweep: Sweep
    points: Sequence[PointOutcome]
    ran: int
    seconds: float

    @property
    def exit_code(self) -> int:
        """5 if any point failed or did not run, 3 if a gate was missed and nothing was selected, else 0."""
        statuses = {outcome.status for outcome in self.points}
        if statuses & {FAILED, NOT_RUN}:
            return StageError.exit_code
        chosen = self.sweep.select is not None and statuses & {PUBLISHED, UP_TO_DATE}
        return AccuracyError.exit_code if REJECTED in statuses and not chosen else 0


def run_sweep(
    sweep: Sweep, outputs: Path, observer: SweepObserver, execute: Execute = local.execute, *, fail_fast: bool = False
) -> SweepOutcome:
    """Take every point of a sweep from plan to published artifact; a point that fails does not stop the others.

    Raises:
        RecipeError: points do not fit their models; nothing has run.
        SourceError: models or data can't be had; nothing has run.
        StageError: the outputs folder can't be written.
        KeyboardInterrupt: what has finished is kept and recorded.
    """
    start = time.monotonic()
    store = store_of(outputs)
    for point in sweep.points:
        placing.refuse_foreign(outputs / point.name)
    plans = plan_points(sweep, store)
    points = [PointOutcome(point, plan) for point, plan in zip(sweep.points, plans, strict=True)]
    run = _Run(sweep, points, store, outputs, observer)
    with under_way(store, (stage.key for plan in plans for stage in plan.stages)):
        try:
            run.execute(execute, fail_fast)
            run.select()
        finally:
            run.record(time.monotonic() - start)
    return SweepOutcome(sweep, points, run.ran, time.monotonic() - start)


class _Run:
    """The state of one sweep while it runs."""

    def __init__(
        self, sweep: Sweep, points: list[PointOutcome], store: Store, outputs: Path, observer: SweepObserver
    ) -> None:
        self.sweep, self.points, self.store, self.outputs, self.observer = sweep, points, store, outputs, observer
        self.ran = 0
        self.open: dict[str, set[str]] = {}
        self.users: dict[str, list[PointOutcome]] = {}

    def execute(self, execute: Execute, fail_fast: bool) -> None:
        """Fetch models first, hold them against their points, then run all that is left."""
        graph = make_graph([outcome.plan for outcome in self.points])
        needed = graph.needed(self.store)
        self.observer.planned(graph, needed)
        self._await(needed)
        log_of = self._logs(needed)
        for name in ("fetch", ""):
            stages = [stage for stage in needed if (stage.name == "fetch") == (name == "fetch")]
            stages = [stage for stage in stages if self._wanted(stage)]
            if stages:
                results = execute(stages, self.store, log_of, _Following(self), fail_fast=fail_fast)
                for stage in stages:
                    if error := results.get(stage.key):
                        self.lost(stage, error)

    def _logs(self, needed: Sequence[Stage]) -> Callable[[Stage], Path]:
        if not needed:
            return lambda stage: Path()
        self.store.check_writable()
        folder = new_logs(self.outputs, self.sweep.name)
        return lambda stage: folder / f"{stage.name}-{stage.key[:12]}.log"

    def _await(self, needed: Sequence[Stage]) -> None:
        """Note which stages each point waits for; finish those that wait for none."""
        keys = {stage.key for stage in needed}
        for outcome in self.points:
            mine = {stage.key for stage in outcome.plan.stages} & keys
            self.open[outcome.point.name] = mine
            for key in mine:
                self.users.setdefault(key, []).append(outcome)
            if not mine:
                self._finish(outcome)

    def _wanted(self, stage: Stage) -> bool:
        return any(outcome.status == NOT_RUN for outcome in self.users[stage.key])

    def done(self, stage: Stage, entry: Entry, reused: bool) -> None:
        """A stage is in the store: judge and publish the points that waited for it alone."""
        self.ran += not reused
        for outcome in self.users.get(stage.key, ()):
            waits = self.open[outcome.point.name]
            waits.discard(stage.key)
            if outcome.status == NOT_RUN:
                try:
                    check_fetched(outcome.plan, stage, entry)
                except OvrunError as error:
                    self._fail(outcome, error)
                    continue
                if not waits:
                    self._finish(outcome)

    def lost(self, stage: Stage, error: OvrunError) -> None:
        """A stage could not be made: neither can the points that need it."""
        for outcome in self.users[stage.key]:
            if outcome.status == NOT_RUN and outcome.error is None:
                self._fail(outcome, placed(error, outcome.point.recipe, stage))

    def _fail(self, outcome: PointOutcome, error: OvrunError) -> None:
        if isinstance(error, AccuracyError):  # a stage that may not lose more than it was allowed
            outcome.status = REJECTED
        else:
            given_up = isinstance(error, local.NotRunError) and error.given_up
            outcome.status = NOT_RUN if given_up else FAILED
        outcome.error, outcome.reason = error, error.message
        self.observer.point(outcome)

    def _finish(self, outcome: PointOutcome) -> None:
        """Judge a point whose results are all there, and publish it unless one is to be selected."""
        plan = outcome.plan
        try:
            entries = self._entries(plan)
        except StageError as error:
            self._fail(outcome, error)
            return
        checks = judge_all(plan, entries)
        outcome.row = _row(plan, self.store, entries, [check_record(judged) for judged in checks])
        if not all(judged.passed for judged in checks):
            outcome.status, outcome.reason = REJECTED, missed_gates(outcome.row["checks"])
        elif self.sweep.select is not None:
            outcome.status = READY
            self.observer.point(outcome)
            return
        self._place(outcome, entries, checks)

    def _place(self, outcome: PointOutcome, entries: Mapping[str, Entry], checks: Sequence[Judged]) -> None:
        plan, name = outcome.plan, outcome.point.name
        said = {"name": self.sweep.name, "settings": dict(outcome.point.settings)}
        try:
            self.store.remember_recent(name, {stage.label: stage.document for stage in plan.stages}, plan.recipe.path)
            at = placing.place(plan, self.store, entries, checks, self.outputs, said)
        except OSError as error:
            raise cannot_write(self.outputs, error) from error
        outcome.status, outcome.path, outcome.version, outcome.damaged = at.status, at.path, at.version, at.damaged
        self.observer.point(outcome)

    def _entries(self, plan: Plan) -> dict[str, Entry]:
        entries = {key: self.store.find(key) for key in plan.targets}
        for key, entry in entries.items():
            if entry is None:
                message = f"the store entry {key} vanished during the run"
                raise StageError(message)
        return {key: entry for key, entry in entries.items() if entry is not None}

    def select(self) -> None:
        """Publish the best of the points that could be published."""
        if self.sweep.select is None:
            return
        ready = [outcome for outcome in self.points if outcome.status == READY]
        chosen, reasons = best(self.sweep.select, [outcome.row or {} for outcome in ready])
        for index, outcome in enumerate(ready):
            if index == chosen:
                entries = self._entries(outcome.plan)
                self._place(outcome, entries, judge_all(outcome.plan, entries))
            else:
                refused = reasons[index] is not None
                outcome.status = REJECTED if refused else NOT_SELECTED
                outcome.reason = reasons[index]
                self.observer.point(outcome)

    def record(self, seconds: float) -> None:
        """Write what `ovrun report` reads; points that wait for a choice that was never made did not run."""
        select = self.sweep.select
        document = {
            "sweep_version": 1,
            "name": self.sweep.name,
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
            "seconds": round(seconds, 3),
            "keys": list(self.sweep.keys),
            "select": select and asdict(select),
            "ran": self.ran,
            "points": [_record(outcome, self.outputs) for outcome in self.points],
        }
        try:
            fs.write_json(fs.own_folder(self.outputs, ".sweeps") / f"{self.sweep.name}.json", document)
        except OSError as error:
            raise cannot_write(self.outputs, error) from error


class _Following:
    """Passes on what an engine tells, and lets the sweep act on it."""

    def __init__(self, run: _Run) -> None:
        self.run, self.observer = run, run.observer

    def started(self, stage: Stage, worker: str) -> None:
        self.observer.started(stage, worker)

    def waiting(self, stage: Stage) -> None:
        self.observer.waiting(stage)

    def progress(self, stage: Stage, done: int, total: int) -> None:
        self.observer.progress(stage, done, total)

    def finished(self, stage: Stage, entry: Entry, reused: bool) -> None:
        self.observer.finished(stage, entry, reused)
        self.run.done(stage, entry, reused)

    def failed(self, stage: Stage, error: OvrunError) -> None:
        (first, *_) = self.run.users[stage.key]
        self.observer.failed(stage, placed(error, first.point.recipe, stage))
        self.run.lost(stage, error)


def _row(plan: Plan, store: Store, entries: Mapping[str, Entry], checks: list[dict[str, Any]]) -> dict[str, Any]:
    size = sizes(plan, store, entries)
    records = [entry.record for entry in _made(plan, store)]
    return {
        "size": size["optimized"],
        "converted_size": size["converted"],
        "seconds": sum(record["seconds"] for record in records),
        "peak_memory": max(record["peak_memory"] for record in records),
        "checks": checks,
    }


def _made(plan: Plan, store: Store) -> Iterator[Entry]:
    for stage in plan.stages:
        entry = store.find(stage.key)
        if entry is not None:
            yield entry


def _record(outcome: PointOutcome, outputs: Path) -> dict[str, Any]:
    empty: dict[str, Any] = {"size": None, "converted_size": None, "seconds": None, "peak_memory": None, "checks": []}
    return {
        "name": outcome.point.name,
        "settings": dict(outcome.point.settings),
        "status": NOT_RUN if outcome.status == READY else outcome.status,
        "reason": outcome.reason,
        "path": outcome.path.relative_to(outputs).as_posix() if outcome.path else None,
        "version": outcome.version,
        **(outcome.row or empty),
    }
