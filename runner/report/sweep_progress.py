"""How far a sweep is: what a live table, plain lines or JSON events are made of."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from runner.artifact.status import Status
from runner.plan.graph import Graph
from runner.plan.types import Stage
from runner.run.outcome import Outcome
from runner.store import Entry

_UNKNOWN = 1.0
"""Seconds that a stage is taken to need before one of its name has been seen."""


@dataclass
class Activity:
    """What one worker does: the stage, since when (`time.monotonic`), and how far it is."""

    stage: Stage
    since: float
    done: int = 0
    total: int = 0


@dataclass
class SweepProgress:
    """Counts of a sweep, kept by the events of its engine."""

    points: int = 0
    ends: dict[str, Status] = field(default_factory=dict)
    workers: dict[str, Activity] = field(default_factory=dict)
    left: dict[str, Stage] = field(default_factory=dict)
    needed: int = 0
    begun: float = field(default_factory=time.monotonic)
    _users: dict[str, list[str]] = field(default_factory=dict)
    _seconds: dict[str, list[float]] = field(default_factory=dict)
    _most_workers: int = 1

    def plan(self, graph: Graph, needed: Sequence[Stage]) -> None:
        """Take note of what there is to do."""
        self.points = len(graph.plans)
        self.left = {stage.key: stage for stage in needed}
        self.needed = len(needed)
        for plan in graph.plans:
            for stage in plan.stages:
                if stage.key in self.left:
                    self._users.setdefault(stage.key, []).append(plan.recipe.name)

    def start(self, stage: Stage, worker: str) -> None:
        """A worker begins a stage."""
        self.workers[worker] = Activity(stage, time.monotonic())
        self._most_workers = max(self._most_workers, len(self.workers))

    def move(self, stage: Stage, done: int, total: int) -> None:
        """A stage tells how far it is."""
        for activity in self.workers.values():
            if activity.stage.key == stage.key:
                activity.done, activity.total = done, total

    def finish(self, stage: Stage, entry: Entry, reused: bool) -> None:
        """A stage is in the store."""
        if not reused:
            self._seconds.setdefault(stage.name, []).append(entry.record["seconds"])
        self.drop(stage)

    def drop(self, stage: Stage) -> None:
        """A stage runs no more."""
        self.left.pop(stage.key, None)
        self.workers = {name: one for name, one in self.workers.items() if one.stage.key != stage.key}

    def point(self, outcome: Outcome) -> None:
        """A point has come to an end, or is ready to be chosen from."""
        self.ends[outcome.point.name] = outcome.status

    @property
    def statuses(self) -> Counter[Status]:
        """How many points have come to which end."""
        return Counter(self.ends.values())

    @property
    def finished(self) -> int:
        """How many stages ran, failed or were dropped."""
        return self.needed - len(self.left)

    def seconds_left(self) -> float | None:
        """About how long the rest takes, by the stages of the same kind that were seen; None before the first."""
        if not self._seconds:
            return None
        means = {name: sum(times) / len(times) for name, times in self._seconds.items()}
        work = sum(means.get(stage.name, _UNKNOWN) for stage in self.left.values())
        return work / self._most_workers

    def whose(self, stage: Stage) -> str:
        """Which point a stage is for, by its settings alone, or how many share it."""
        users = self._users.get(stage.key, [])
        return short(users[0]) if len(users) == 1 else f"shared by {len(users)} points"


def short(point: str) -> str:
    """A point's settings without the sweep's name: `mode-int4_sym  ratio-0.6`."""
    _, _, settings = point.partition("--")
    return settings.replace("--", "  ") or point
