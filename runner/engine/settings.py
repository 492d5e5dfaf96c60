"""Which cluster runs a sweep. Nothing of Dask is imported here."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Cluster:
    """One of: workers on this machine, a scheduler that runs already, jobs on Slurm.

    Attributes:
        jobs: number of worker processes on this machine.
        scheduler: address of a running Dask scheduler, such as `tcp://10.0.0.1:8786`.
        slurm: file with the resource requests of one Slurm job.
        workers: number of Slurm jobs.
        memory: bytes that the workers of this machine share; None for what is free.
        allowed_failures: how many workers may die while running one stage before the stage counts as failed.
    """

    jobs: int = 1
    scheduler: str | None = None
    slurm: Path | None = None
    workers: int = 1
    memory: int | None = None
    allowed_failures: int = 3
