"""Getting a cluster: start one in a process of its own, or reach one that runs; and end it."""

from __future__ import annotations

import contextlib
import errno
import json
import logging
import os
import resource
import secrets
import subprocess
import threading
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from distributed import Client
from distributed.comm import get_address_host_port, parse_address
from distributed.security import Security
from distributed.versions import VersionMismatchWarning

import runner.base.files as fs
from runner.base import python, safe
from runner.engine import slurm
from runner.engine.failures import cannot_start
from runner.engine.process import open_log
from runner.engine.settings import Cluster
from runner.engine.shares import core_shares
from runner.errors import StageError, without_secrets
from runner.store import Store

_CHATTY = ("distributed", "tornado", "asyncio", "bokeh")
_ANSWER_WITHIN = 10
_END_WITHIN = 30
_FILES, _FILES_OF_WORKER = 20, 11
"""Open files of the process that owns a cluster, measured with 1 to 8 workers."""


@contextlib.contextmanager
def connected(cluster: Cluster, shares: list[int], log: Path, store: Store) -> Iterator[Client]:
    """A client of the cluster that the settings ask for. What Dask says goes to the log.

    Args:
        shares: bytes for each worker of this machine, if it is this machine's.

    Raises:
        OvrunError: it can't be had.
    """
    with contextlib.ExitStack() as stack:
        stack.enter_context(_heard_in(log))
        if cluster.scheduler is not None:
            client = _reach(cluster.scheduler)
        else:
            private = stack.enter_context(_private_folder(store))
            address, security = stack.enter_context(_hosted(_wanted(cluster, shares, log, private), log))
            client = _connect(address, security)
        try:
            yield client
        finally:
            client.close(timeout=_END_WITHIN)


def is_encrypted(address: str) -> bool:
    """Whether connections to an address use TLS, by which both sides show that they belong together."""
    scheme, _ = parse_address(address)  # where the address has none, Dask's configuration has
    return scheme in ("tls", "wss")


@contextlib.contextmanager
def _private_folder(store: Store) -> Iterator[Path]:
    """A folder of a cluster that nobody else may enter; should this process be killed, the next run removes it."""
    key = secrets.token_hex(32)  # as a stage has one, so that the store tidies up after it as after a stage
    with store.locked(key):
        folder = store.begin(key)
        try:
            folder.chmod(0o700)
            yield folder
        finally:
            fs.discard_tree(folder)
            store.lock_path(key).unlink(missing_ok=True)


def _wanted(cluster: Cluster, shares: list[int], log: Path, private: Path) -> dict[str, object]:
    """What the host process is told to make."""
    wanted: dict[str, object] = {"allowed_failures": cluster.allowed_failures, "private": str(private.resolve())}
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


def _reach(address: str) -> Client:
    """A client of a scheduler that somebody else started; Dask's own configuration has the certificates, if any."""
    try:
        get_address_host_port(address)
        return _connect(address, Security())
    except (OSError, ValueError, TypeError, RuntimeError) as error:
        message = f"no Dask scheduler answers at {address}: {error}"
        hint = "Give the address that `dask scheduler` printed when it started."
        if is_encrypted(address):
            hint += " For tls:// Dask's configuration names the certificates: distributed.comm.tls."
        raise StageError(message, hint=hint) from error


def _connect(address: str, security: Security) -> Client:
    return Client(address, security=security, set_as_default=False, timeout=_ANSWER_WITHIN)


@contextlib.contextmanager
def _hosted(wanted: Mapping[str, Any], log: Path) -> Iterator[tuple[str, Security]]:
    """The scheduler's address of a cluster in a process that ends with this context, or with this process.

    With it comes what a client needs to be let in: the cluster's certificate, which is made for it and kept nowhere.
    """
    try:
        _refuse_few_files(int(wanted["workers"]))
        with open_log(log) as stream:
            host = subprocess.Popen(
                python.command("runner.engine.host"),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stream,
                env=python.environment(),
                start_new_session=True,
            )
    except OSError as error:
        raise cannot_start(error, log) from error
    assert host.stdin is not None and host.stdout is not None
    with host.stdout, _ended(host):
        with contextlib.suppress(BrokenPipeError):  # its answer, or the lack of one, tells
            host.stdin.write(json.dumps(wanted).encode() + b"\n")
            host.stdin.flush()
        answer = json.loads(host.stdout.readline() or "{}")
        if "address" not in answer:
            told = answer.get("error", "its process ended")
            message = f"Slurm takes no such job: {told}" if "slurm" in wanted else f"Dask did not start: {told}"
            failed = StageError(message)
            failed.log = log
            raise failed
        yield answer["address"], _client_security(answer["certificate"], answer["key"])


def _refuse_few_files(workers: int) -> None:
    """A scheduler that may open too few files would accept connections in vain until somebody gives up."""
    most, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if most != resource.RLIM_INFINITY and most < _FILES + _FILES_OF_WORKER * workers:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))


def _client_security(certificate: str, key: str) -> Security:
    return Security(require_encryption=True, tls_ca_file=certificate, tls_client_cert=certificate, tls_client_key=key)


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
        return safe.terminal(without_secrets(super().format(record)))


class _LogFile(logging.FileHandler):
    """A log that is done without where it can't be written."""

    def _open(self) -> Any:
        Path(self.baseFilename).parent.mkdir(parents=True, exist_ok=True)
        return super()._open()

    def handleError(self, record: logging.LogRecord) -> None:
        """Say nothing: the base class prints a traceback on the console."""


@contextlib.contextmanager
def _heard_in(log: Path) -> Iterator[None]:
    """Keep the loggers and warnings of Dask off the console."""
    handler = _LogFile(log, delay=True, encoding="utf-8", errors="backslashreplace")
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
