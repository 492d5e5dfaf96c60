"""The record of a sweep's last run in `outputs/.sweeps`: what `ovrun report` reads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import runner.base.files as fs
from runner.artifact.manifest import check_records, sizes
from runner.artifact.status import Status
from runner.metrics.gates import Judged
from runner.plan.types import Plan
from runner.recipe.types import Sweep
from runner.run.outcome import Outcome
from runner.store import Entry, Store, cannot_write

if TYPE_CHECKING:
    from runner.artifact.types import Cost, PointRecord


def row(plan: Plan, store: Store, entries: Mapping[str, Entry], checks: Sequence[Judged]) -> Cost:
    """A point's size (bytes), checks, and cost (seconds and bytes of its stages when they ran)."""
    size = sizes(plan, store, entries)
    records = [entry.record for entry in _made(plan, store)]
    return {
        "size": size["optimized"],
        "converted_size": size["converted"],
        "seconds": sum(record["seconds"] for record in records),
        "peak_memory": max(record["peak_memory"] for record in records),
        "checks": check_records(plan, store, checks),
    }


def _made(plan: Plan, store: Store) -> Iterator[Entry]:
    for stage in plan.stages:
        entry = store.find(stage.key)
        if entry is not None:
            yield entry


def write(sweep: Sweep, points: Sequence[Outcome], outputs: Path, ran: int, seconds: float) -> None:
    """Keep what became of each point; one that waits for a choice that was never made did not run.

    Raises:
        StageError: outputs can't be written.
    """
    document = {
        "sweep_version": 1,
        "name": sweep.name,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds": round(seconds, 3),
        "keys": list(sweep.keys),
        "select": sweep.select and asdict(sweep.select),
        "ran": ran,
        "points": [_record(outcome, outputs) for outcome in points],
    }
    try:
        fs.write_json(fs.own_folder(outputs, ".sweeps") / f"{sweep.name}.json", document)
    except OSError as error:
        raise cannot_write(outputs, error) from error


def _record(outcome: Outcome, outputs: Path) -> PointRecord:
    row = outcome.row
    return {
        "name": outcome.point.name,
        "settings": dict(outcome.point.settings),
        "status": Status.NOT_RUN if outcome.status == Status.READY else outcome.status,
        "reason": outcome.reason,
        "path": outcome.path.relative_to(outputs).as_posix() if outcome.path else None,
        "version": outcome.version,
        "size": row and row["size"],
        "converted_size": row and row["converted_size"],
        "seconds": row and row["seconds"],
        "peak_memory": row and row["peak_memory"],
        "checks": row["checks"] if row else [],
    }
