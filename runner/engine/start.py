"""Getting a cluster: start one in a process of its own, or reach one that runs; and end it."""

from __future__ import annotations

import contextlib
import json
import logging
import subprocess
import sys
import threading
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from distributed import Client
from distributed.comm import get_address_host_port
from distributed.versions import VersionMismatchWarning

from runner.base import safe
from runner.engine import slurm
from runner.engine.settings import Cluster
from runner.engine.shares import core_shares
from runner.errors import StageError

_CHATTY = ("distributed", "tornado", "asyncio", "bokeh")
_ANSWER_WITHIN = 10
_END_WITHIN = 30


@contextlib.contextmanager
def connected(cluster: Cluster, shares: list[int], log: Path) -> Iterator[Client]:
    """A client of the cluster that the settings ask for. What Dask says goes to the log.

    Args:
        shares: bytes for each worker of this machine, if it is this machine's.

    Raises:
        OvrunError: it can't be had.
    """
    with contextlib.ExitStack() as stack:
        stack.enter_context(_heard_in(log))
        address = cluster.scheduler or stack.enter_context(_hosted(_wanted(cluster, shares, log), log))
        client = _connect(address)
        try:
            yield client
        finally:
            client.close(timeout=_END_WITHIN)


def _wanted(cluster: Cluster, shares: list[int], log: Path) -> dict[str, Any]:
    """What the host process is told to make."""
    wanted: dict[str, Any] = {"allowed_failures": cluster.allowed_failures}
    if cluster.slurm is not None:
        logs = log.parent / "slurm"
        logs.mkdir(parents=True, exist_ok=True)
        requests = slurm.cluster_arguments(slurm.read(cluster.slurm), logs)
        return {**wanted, "slurm": requests, "workers": cluster.workers}
    cores = core_shares(cluster.jobs)
    return {
        **wanted,
        "workers": cluster.jobs,
        "local": [{"memory": m, "cores": c} for m, c in zip(shares, cores, strict=True)],
    }


def _connect(address: str) -> Client:
    try:
        get_address_host_port(address)
        return Client(address, set_as_default=False, timeout=_ANSWER_WITHIN)
    except (OSError, ValueError) as error:
        message = f"no Dask scheduler answers at {address}: {error}"
        raise StageError(message, hint="Give the address that `dask scheduler` printed when it started.") from error


@contextlib.contextmanager
def _hosted(wanted: Mapping[str, Any], log: Path) -> Iterator[str]:
    """The scheduler's address of a cluster in a process that ends with this context, or with this process."""
    with log.open("ab") as stream:
        host = subprocess.Popen(
            [sys.executable, "-m", "runner.engine.host"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stream,
            start_new_session=True,
        )
    assert host.stdin is not None and host.stdout is not None
    with host.stdout, _ended(host):
        host.stdin.write(json.dumps(wanted).encode() + b"\n")
        host.stdin.flush()
        answer = json.loads(host.stdout.readline() or "{}")
        if "address" not in answer:
            told = answer.get("error", "its process ended")
            message = f"Slurm takes no such job: {told}" if "slurm" in wanted else f"Dask did not start: {told}"
            error = StageError(message)
            error.log = log
            raise error
        yield answer["address"]


@contextlib.contextmanager
def _ended(host: subprocess.Popen[bytes]) -> Iterator[None]:
    """End the host: its standard input first; it takes its workers with it, also when it is killed."""
    try:
        yield
    finally:
        assert host.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            host.stdin.close()
        killer = threading.Timer(_END_WITHIN, host.kill)
        killer.start()
        try:
            host.wait()
        finally:
            killer.cancel()


class _Discreet(logging.Formatter):
    """Lines without secrets of the environment, harmless for a terminal that shows them."""

    def format(self, record: logging.LogRecord) -> str:
        return safe.terminal(safe.without_secrets(super().format(record)))


@contextlib.contextmanager
def _heard_in(log: Path) -> Iterator[None]:
    """Keep the loggers and warnings of Dask off the console."""
    handler = logging.FileHandler(log, delay=True, encoding="utf-8", errors="backslashreplace")
    handler.setFormatter(_Discreet("%(asctime)s %(name)s %(levelname)s %(message)s"))
    names = [name for name in logging.root.manager.loggerDict if name.partition(".")[0] in _CHATTY]
    loggers = [logging.getLogger(name) for name in {*names, *_CHATTY}]
    before = [(logger, logger.handlers[:], logger.propagate) for logger in loggers]
    for logger in loggers:
        at_top = logger.name in _CHATTY
        logger.handlers, logger.propagate = [handler] if at_top else [], not at_top
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", VersionMismatchWarning)  # each stage checks what its key names
            yield
    finally:
        for logger, handlers, propagate in before:
            logger.handlers, logger.propagate = handlers, propagate
        handler.close()
