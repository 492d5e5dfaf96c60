"""Which engine runs a sweep, by the options of the command line."""

from __future__ import annotations

import functools
import importlib.util
from argparse import Namespace
from typing import TYPE_CHECKING

from runner.base import streams
from runner.errors import Problem, UsageError

if TYPE_CHECKING:
    from runner.engine.watcher import Execute

_NOT_ENCRYPTED = (
    "warning: the connection to this scheduler has no TLS: whoever reaches it can run code as you;"
    " a tls:// address uses the certificates that distributed.comm.tls names in Dask's configuration"
)


def engine(arguments: Namespace) -> Execute:
    """The engine that the options ask for: stages one after the other, or Dask's workers.

    Raises:
        UsageError: options that don't go together, or Dask is not installed.
    """
    _refuse_lone_options(arguments)
    if arguments.scheduler is None and arguments.cluster is None and arguments.jobs in (None, 1):
        from runner.engine import local

        return local.execute
    try:
        from runner.engine import cluster, slurm, start
    except ImportError as error:
        what = f"needs Dask, and {error.name} is not installed"
        raise UsageError([Problem("command line", "", what, "pip install 'ovrun[cluster]'")]) from error
    if arguments.scheduler is None and importlib.util.find_spec("cryptography") is None:
        what = "makes a certificate for its cluster, which needs cryptography, and that is not installed"
        raise UsageError([Problem("command line", "", what, "pip install 'ovrun[cluster]'")])
    if arguments.scheduler is not None and not start.is_encrypted(arguments.scheduler):
        streams.tell(_NOT_ENCRYPTED)
    if arguments.cluster_config is not None:
        slurm.read(arguments.cluster_config)  # its mistakes come before anything is planned
    settings = cluster.Cluster(
        jobs=arguments.jobs or 1,
        scheduler=arguments.scheduler,
        slurm=arguments.cluster_config if arguments.cluster else None,
        workers=arguments.workers or 1,
    )
    return functools.partial(cluster.execute, cluster=settings)


def _refuse_lone_options(arguments: Namespace) -> None:
    """`--workers` and `--cluster-config` say something of `--cluster`, which needs the second."""
    problems = []
    for option in ("workers", "cluster_config"):
        if getattr(arguments, option) is not None and arguments.cluster is None:
            name = option.replace("_", "-")
            problems.append(Problem(f"command line: --{name}", "", "says something of --cluster, which is not there"))
    if arguments.cluster is not None and arguments.cluster_config is None:
        what = "which resources a job asks for is not stated"
        problems.append(Problem(f"command line: --cluster {arguments.cluster}", "", what, "--cluster-config FILE.yaml"))
    if problems:
        raise UsageError(problems)
