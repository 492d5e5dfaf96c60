"""What a script or a program is shown of a run: folders of versions, JSON events, or nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from runner.artifact.status import Status
from runner.base import streams
from runner.run.outcome import Silent

if TYPE_CHECKING:
    from runner.errors import OvrunError
    from runner.plan.graph import Graph
    from runner.plan.types import Stage
    from runner.report.output import Output
    from runner.run.outcome import Finished, Outcome
    from runner.store import Entry


class Unshown(Silent):
    """Shows nothing of a run; a `RunDisplay`."""

    end: Finished | None = None

    def close(self) -> None: ...

    def ended(self, run: Finished) -> None:
        """Keep what came of it."""
        self.end = run


class FolderOfRun(Unshown):
    """Tells the folder of what one recipe made, and nothing else."""

    def __init__(self, output: Output) -> None:
        self.output = output

    def ended(self, run: Finished) -> None:
        """The version, or the model that is kept aside."""
        super().ended(run)
        self.output.lines([str(run.points[0].path)])


class FoldersOfSweep(Unshown):
    """Tells the folder of each version of a sweep, and nothing else."""

    def __init__(self, output: Output) -> None:
        self.output = output

    def failed(self, stage: Stage, error: OvrunError) -> None:
        """An error is told however quiet it is."""
        self.output.failed(error)

    def point(self, outcome: Outcome) -> None:
        """A version is there."""
        if outcome.path is not None and outcome.status in (Status.PUBLISHED, Status.UP_TO_DATE):
            self.output.lines([str(outcome.path)])


class SweepEvents:
    """Tells a sweep as JSON, one object a line; a `Display`."""

    def planned(self, graph: Graph, needed: Sequence[Stage]) -> None:
        """`planned`: counts of points and stages."""
        counts = {"points": len(graph.plans), "stages": graph.total, "distinct": len(graph.stages)}
        self._tell("planned", counts | {"to_do": len(needed)})

    def warned(self, sentence: str) -> None:
        """`warned`: what may go wrong."""
        self._tell("warned", {"warning": sentence})

    def started(self, stage: Stage, worker: str) -> None:
        """`started`: a stage, and who runs it."""
        self._tell("started", _named(stage) | {"worker": worker})

    def waiting(self, stage: Stage) -> None:
        """`waiting`: another run makes this stage."""
        self._tell("waiting", _named(stage))

    def progress(self, stage: Stage, done: int, total: int) -> None:
        """`progress`: the unit is the stage's own."""
        self._tell("progress", _named(stage) | {"done": done, "total": total})

    def finished(self, stage: Stage, entry: Entry, reused: bool) -> None:
        """`finished`: what a stage cost when it ran, in seconds and bytes."""
        cost = {name: entry.record[name] for name in ("seconds", "cpu_seconds", "peak_memory")}
        self._tell("finished", _named(stage) | cost | {"reused": reused})

    def failed(self, stage: Stage, error: OvrunError) -> None:
        """`failed`: why."""
        log = str(error.log) if error.log else None
        self._tell("failed", _named(stage) | {"error": error.message, "exit_code": error.exit_code, "log": log})

    def point(self, outcome: Outcome) -> None:
        """`point`: one has come to its end."""
        document = {
            "name": outcome.point.name,
            "settings": dict(outcome.point.settings),
            "status": outcome.status,
            "reason": outcome.reason,
            "path": str(outcome.path) if outcome.path else None,
            "version": outcome.version,
            "size": outcome.row["size"] if outcome.row else None,
        }
        self._tell("point", document)

    def close(self) -> None:
        """Nothing is left open."""

    def ended(self, run: Finished) -> None:
        """`end`: of one sweep."""
        counts: dict[str, int] = {}
        for one in run.points:
            counts[one.status] = counts.get(one.status, 0) + 1
        end: dict[str, object] = {"name": run.name, "points": counts, "ran": len(run.ran)}
        self._tell("end", end | {"seconds": round(run.seconds, 3), "exit_code": run.exit_code})

    def _tell(self, event: str, document: dict[str, Any]) -> None:
        streams.put_json({"event": event, **document}, indent=None)


def _named(stage: Stage) -> dict[str, object]:
    return {"stage": stage.name, "label": stage.label, "key": stage.key}
