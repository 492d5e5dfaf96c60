"""Which engine runs a sweep: this process, or Dask's workers wherever they are."""

from __future__ import annotations

import functools
import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING

from runner.errors import Problem, UsageError

if TYPE_CHECKING:
    from runner.engine.watcher import Execute

NOT_ENCRYPTED = (
    "the connection to this scheduler has no TLS: whoever reaches it can run code as you;"
    " a tls:// address uses the certificates that distributed.comm.tls names in Dask's configuration"
)


def engine(
    jobs: int | None = None,
    *,
    scheduler: str | None = None,
    cluster: str | None = None,
    cluster_config: Path | None = None,
    workers: int | None = None,
) -> Execute:
    """The engine that is asked for: stages one after the other, or Dask's workers.

    Args:
        jobs: how many worker processes of this machine.
        scheduler: the address of a Dask scheduler that runs, instead of those.
        cluster: `slurm`, to start a cluster there.
        cluster_config: YAML of the resources that a job of it asks for.
        workers: how many it starts.

    Raises:
        UsageError: options that don't go together, or Dask is not installed.
    """
    _refuse_lone_options(cluster, cluster_config, workers)
    if scheduler is None and cluster is None and jobs in (None, 1):
        from runner.engine import local

        return local.execute
    try:
        from runner.engine import cluster as dask
        from runner.engine import slurm
    except ImportError as error:
        what = f"needs Dask, and {error.name} is not installed"
        raise UsageError([Problem("command line", "", what, "pip install 'ovrun[cluster]'")]) from error
    if scheduler is None and importlib.util.find_spec("cryptography") is None:
        what = "makes a certificate for its cluster, which needs cryptography, and that is not installed"
        raise UsageError([Problem("command line", "", what, "pip install 'ovrun[cluster]'")])
    if cluster_config is not None:
        slurm.read(cluster_config)  # its mistakes come before anything is planned
    settings = dask.Cluster(
        jobs=jobs or 1, scheduler=scheduler, slurm=cluster_config if cluster else None, workers=workers or 1
    )
    return functools.partial(dask.execute, cluster=settings)


def _refuse_lone_options(cluster: str | None, cluster_config: Path | None, workers: int | None) -> None:
    """`--workers` and `--cluster-config` say something of `--cluster`, which needs the second."""
    problems = []
    for name, given in (("workers", workers), ("cluster-config", cluster_config)):
        if given is not None and cluster is None:
            problems.append(Problem(f"command line: --{name}", "", "says something of --cluster, which is not there"))
    if cluster is not None and cluster_config is None:
        what = "which resources a job asks for is not stated"
        problems.append(Problem(f"command line: --cluster {cluster}", "", what, "--cluster-config FILE.yaml"))
    if problems:
        raise UsageError(problems)
