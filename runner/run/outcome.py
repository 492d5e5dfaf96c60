"""What becomes of a run and of each of its recipes, and who watches it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from runner.artifact.status import Status
from runner.engine.watcher import Watcher
from runner.errors import AccuracyError, OvrunError, StageError
from runner.metrics.gates import Judged
from runner.plan.graph import Graph
from runner.plan.types import Plan, Stage
from runner.recipe.types import Point, Select
from runner.store import Entry

if TYPE_CHECKING:
    from runner.artifact.types import Cost


@dataclass
class Outcome:
    """What has become of one recipe so far; a recipe alone is a point without settings.

    Attributes:
        reason: why it is not published.
        error: what made it fail.
        path: the version's folder, or the folder where a rejected model is kept.
        version: N of a published version.
        checks: what was measured, and the verdict of each gate.
        row: of a sweep's point: its size, checks and cost, as the record of the sweep has them.
        damaged: versions of the same content that were found damaged now, a sentence each.
    """

    point: Point
    plan: Plan
    status: Status = Status.NOT_RUN
    reason: str | None = None
    error: OvrunError | None = None
    path: Path | None = None
    version: int | None = None
    checks: tuple[Judged, ...] = ()
    row: Cost | None = None
    damaged: tuple[str, ...] = ()

    @property
    def is_open(self) -> bool:
        """Whether its end is not known yet."""
        return self.status == Status.NOT_RUN and self.error is None


@dataclass(frozen=True)
class Finished:
    """The end of a run.

    Attributes:
        name: of the recipe or of the sweep.
        points: in their order.
        ran: keys of the stages that ran now.
        log: the log of a recipe, the folder of a sweep's logs; None where nothing ran.
    """

    name: str
    points: Sequence[Outcome]
    select: Select | None
    ran: frozenset[str]
    log: Path | None
    seconds: float

    @property
    def exit_code(self) -> int:
        """5 if any point failed or did not run, 3 if one was rejected or undecided and nothing selected, else 0."""
        statuses = {outcome.status for outcome in self.points}
        if statuses & {Status.FAILED, Status.NOT_RUN}:
            return StageError.exit_code
        chosen = self.select is not None and statuses & {Status.PUBLISHED, Status.UP_TO_DATE}
        kept_back = statuses & {Status.REJECTED, Status.UNDECIDED}
        return AccuracyError.exit_code if kept_back and not chosen else 0


class Observer(Watcher, Protocol):
    """Who watches a run."""

    def planned(self, graph: Graph, needed: Sequence[Stage]) -> None: ...

    def warned(self, sentence: str) -> None:
        """Something may go wrong: stages may need more memory than there is."""

    def point(self, outcome: Outcome) -> None: ...

    def ended(self, run: Finished) -> None:
        """The run has come to its end; one that fails as a whole does not."""


class Display(Observer, Protocol):
    """An observer that shows a run."""

    def close(self) -> None:
        """The run is over, however that came."""


class RunDisplay(Display, Protocol):
    """One that knows what came of its run.

    Attributes:
        end: None before it, and of a run that failed.
    """

    end: Finished | None


class Silent:
    """An observer that shows nothing."""

    def planned(self, graph: Graph, needed: Sequence[Stage]) -> None: ...

    def warned(self, sentence: str) -> None: ...

    def started(self, stage: Stage, worker: str) -> None: ...

    def waiting(self, stage: Stage) -> None: ...

    def progress(self, stage: Stage, done: int, total: int) -> None: ...

    def finished(self, stage: Stage, entry: Entry, reused: bool) -> None: ...

    def failed(self, stage: Stage, error: OvrunError) -> None: ...

    def point(self, outcome: Outcome) -> None: ...

    def ended(self, run: Finished) -> None: ...
