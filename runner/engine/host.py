"""The process that owns a Dask cluster: `python -m runner.engine.host`, started by `runner.engine.cluster`.

It reads one line of JSON, which says what cluster to make, from its standard input, and writes one with the scheduler's
address to its standard output, and the certificate and the key that a client needs. Those are made for this cluster,
all its connections use them, and command lines hold at most the places of their files. Scheduler and workers are its
children, in a session of their own: a Ctrl-C at the terminal does not reach them, and what they print is in the log,
which is its standard error. It ends, and they with it, when its standard input does.
"""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
from typing import Any

import dask
from distributed import LocalCluster, Status
from distributed.security import Security

from runner.base import streams

_LOOK_EVERY = 2.0
START_WITHIN = 60
"""Seconds for processes to reach each other."""
NO_PAGES = {"dashboard": False, "dashboard_address": "127.0.0.1:0"}
"""Options of a scheduler. It listens for HTTP all the same, and has no page to give; see `configuration`."""


class _Local(LocalCluster):  # type: ignore[misc]
    """One worker process a job, each with its own cores and share of the memory."""

    def __init__(self, workers: list[dict[str, object]], private: str, security: Security) -> None:
        self.shares = workers
        super().__init__(
            n_workers=0,
            threads_per_worker=1,
            memory_limit=0,  # a worker holds next to nothing; its stage's own process is what is limited
            worker_dashboard_address=None,
            scheduler_kwargs=NO_PAGES,
            silence_logs=False,
            security=security,
            local_directory=private,
        )

    def new_worker_spec(self) -> dict[int, dict[str, object]]:
        from runner.engine.worker import Setup

        (number,) = super().new_worker_spec()
        share = self.shares[number]
        own = {"resources": {"memory": share["memory"]}, "plugins": [Setup(share["cores"])]}
        return {number: {"cls": self.new_spec["cls"], "options": {**self.new_spec["options"], **own}}}

    def revive(self) -> None:
        """Drop the nannies that gave up: one does when its worker dies while it starts."""
        for name, nanny in list(self.workers.items()):
            if nanny.status in (Status.closed, Status.failed):
                del self.workers[name]


def main() -> None:
    """Make the cluster, tell its address, and wait for the end."""
    answer = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    streams.keep_log()
    wanted = json.loads(sys.stdin.buffer.readline())
    dask.config.set({**configuration(wanted["allowed_failures"]), "temporary-directory": wanted["private"]})
    if "local" in wanted:  # jobs in a queue may wait for hours, processes of this machine don't
        dask.config.set({"distributed.scheduler.no-workers-timeout": f"{2 * START_WITHIN}s"})
    count = wanted["workers"]
    try:
        security = Security.temporary()
        cluster = _make(wanted, security)
    except Exception as error:
        answer.write(json.dumps({"error": f"{type(error).__name__}: {error}"}) + "\n")
        raise
    with cluster:
        opened = {"address": cluster.scheduler_address, "certificate": security.tls_ca_file}
        answer.write(json.dumps({**opened, "key": security.tls_client_key}) + "\n")
        cluster.scale(count)
        while not select.select([sys.stdin], [], [], _LOOK_EVERY)[0]:
            if isinstance(cluster, _Local):
                cluster.revive()
            cluster.scale(count)  # starts anew what has been lost


def _make(wanted: dict[str, Any], security: Security) -> Any:
    if "slurm" in wanted:
        return _slurm({**wanted["slurm"], "shared_temp_directory": wanted["private"], "security": security})
    return _Local(wanted["local"], wanted["private"], security)


def configuration(allowed_failures: int) -> dict[str, object]:
    """How Dask behaves here. A worker holds one task at a time, so that its death costs no other task a retry."""
    return {
        "distributed.scheduler.allowed-failures": allowed_failures,
        "distributed.scheduler.worker-saturation": 1.0,
        "distributed.nanny.pre-spawn-environ": {},  # threads follow the cores that a worker has
        "distributed.comm.timeouts.connect": f"{START_WITHIN}s",
        "distributed.worker.profile.enabled": False,
        "distributed.admin.tick.interval": "1s",  # the default is 20 ms: a tenth of a core for sixteen idle workers
        "distributed.admin.tick.cycle": "10s",
        "distributed.admin.system-monitor.interval": "5s",
        "distributed.deploy.lost-worker-timeout": "5s",
        "distributed.scheduler.http.routes": [],
        "distributed.worker.http.routes": [],
        "distributed.admin.large-graph-warning-threshold": "10GB",
    }


def _slurm(arguments: dict[str, Any]) -> Any:
    """A cluster of Slurm jobs.

    Raises:
        RuntimeError: Slurm would refuse such a job.
    """
    from dask_jobqueue import SLURMCluster

    cluster = SLURMCluster(**arguments)
    tried = subprocess.run(["sbatch", "--test-only"], input=cluster.job_script(), capture_output=True, text=True)
    if tried.returncode != 0:
        cluster.close()
        raise RuntimeError(tried.stderr.strip())
    return cluster


if __name__ == "__main__":
    main()
