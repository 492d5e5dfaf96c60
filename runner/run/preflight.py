"""What a run will need, held against what there is, before anything heavy begins."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from runner.base.figures import megabytes
from runner.errors import StageError
from runner.run.shared import shared_rows

if TYPE_CHECKING:
    from runner.engine.estimate import Costs, Estimate
    from runner.plan.types import Stage
    from runner.recipe import Recipe
    from runner.store import Entry, Store

_SURE = 0.8
"""Estimates of sizes may be too high by a quarter: a run is refused that needs more than there is even so."""


class Preflight:
    """Estimates the stages of one run, and learns from what they cost.

    Args:
        recipes: of the run, whose data are looked at once.
    """

    def __init__(self, store: Store, recipes: Sequence[Recipe] = ()) -> None:
        self.store, self.recipes = store, recipes
        self.costs: Costs | None = None

    def look(self, needed: Sequence[Stage]) -> Iterator[str]:
        """Look whether stages fit on the disk and into the memory; what may go wrong, in sentences, and of the data.

        Args:
            needed: the stages that will run, in the order of their data.

        Raises:
            StageError: what they write does not fit on the store's disk.
        """
        from runner.engine.estimate import Costs

        yield from shared_rows(self.recipes, self.store)
        self.recipes = ()
        self.costs = self.costs or Costs(self.store)
        estimates = list(self.costs.estimate(needed))
        self._refuse_disk([estimate for _, estimate in estimates])
        there = _available_memory()
        stage, most = max(estimates, key=lambda one: one[1].memory)
        if most.memory > there:
            need = f"{stage.label} takes about {megabytes(most.memory)} of memory at its peak"
            yield f"{need}, and {megabytes(there)} are available"

    def _refuse_disk(self, estimates: Sequence[Estimate]) -> None:
        needed, free = sum(estimate.disk for estimate in estimates), shutil.disk_usage(self.store.root).free
        if needed * _SURE > free and os.environ.get("OVRUN_PREFLIGHT", "") != "off":
            what = f"this needs about {megabytes(needed)} of disk"
            message = f"{what}, and {megabytes(free)} are free in {self.store.root}"
            hint = (
                "`ovrun gc` removes what nothing needs any more; `--outputs` names a folder on another disk. "
                "OVRUN_PREFLIGHT=off in the environment begins all the same."
            )
            raise StageError(message, hint=hint)

    def note(self, stage: Stage, entry: Entry) -> None:
        """Keep what a stage cost."""
        if self.costs is not None:
            self.costs.note(stage, entry)

    def save(self) -> None:
        """Write it for the runs to come."""
        with contextlib.suppress(OSError):
            if self.costs is not None:
                self.costs.save()


def _available_memory() -> int:
    import psutil

    return int(psutil.virtual_memory().available)
