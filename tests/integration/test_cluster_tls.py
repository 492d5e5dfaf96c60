"""Who has not got a cluster's certificate gets nothing from it: no connection, no code run, no page."""

from __future__ import annotations

import contextlib
import dataclasses
import http.client
import json
import os
import socket
import ssl
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dask
import psutil
import pytest
from distributed import Client
from distributed.security import Security

from runner.cli import main
from runner.engine import cluster, start
from runner.engine.settings import Cluster
from runner.errors import StageError
from tests import cheap

ROOT = Path(__file__).parents[2]
MB = 1 << 20


@dataclasses.dataclass
class Running:
    """A cluster of one worker, its address, what a client of it has, and the folder that it works in."""

    address: str
    security: Security
    folder: Path


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A cluster as `--jobs 1` makes it."""
    folder = tmp_path_factory.mktemp("running")
    store, log = cheap.store_in(folder), folder / "logs" / "cluster.log"
    os.environ["HF_TOKEN"] = "hf_secret"
    temporary = folder / "tmp"
    temporary.mkdir()
    try:
        with pytest.MonkeyPatch.context() as patch, contextlib.ExitStack() as stack:
            patch.setenv("TMPDIR", str(temporary))
            client = stack.enter_context(start.connected(Cluster(), [600 * MB], log, store))
            client.wait_for_workers(1)
            patch.undo()
            yield Running(client.scheduler.address, client.security, folder)
    finally:
        del os.environ["HF_TOKEN"]
    assert not list(temporary.iterdir())
    assert not list((store.root / "tmp").iterdir())
    assert not list((store.root / "locks").iterdir())


def relatives() -> list[psutil.Process]:
    """All that this process has started."""
    return psutil.Process().children(recursive=True)


def ask(address: str, security: Security | None) -> Any:
    """Try to run code in a scheduler; short of patience."""
    with dask.config.set({"distributed.comm.timeouts.connect": "3s"}):
        with Client(address, security=security, timeout=3, set_as_default=False) as client:
            return client.run_on_scheduler(os.getpid)


def test_a_client_with_the_certificate_is_let_in(running: Running) -> None:
    assert running.address.startswith("tls://127.0.0.1:")
    assert ask(running.address, running.security) in {process.pid for process in relatives()}


@pytest.mark.filterwarnings("ignore")  # what refused connections leave behind
@pytest.mark.parametrize("who", ["nobody", "somebody else"])
def test_any_other_is_not(running: Running, who: str) -> None:
    security = None if who == "nobody" else Security.temporary()
    plain = running.address.replace("tls://", "tcp://")
    for address in (plain, running.address) if security is None else (running.address,):
        with pytest.raises((OSError, TypeError, RuntimeError)):
            ask(address, security)


def listening() -> set[tuple[str, int]]:
    """Where this process's cluster can be reached."""
    found = set()
    for process in relatives():
        for one in process.net_connections():
            if one.status == psutil.CONN_LISTEN:
                found.add((str(one.laddr.ip), int(one.laddr.port)))
    return found


def test_every_port_wants_the_certificate_or_has_nothing_to_give(running: Running) -> None:
    found = listening()
    assert len(found) >= 3  # a scheduler, a nanny, a worker
    pages = ("/", "/info/main/workers.html", "/json/counts.json", "/health", "/metrics")
    for host, port in found:
        assert host == "127.0.0.1"
        answers = {page(host, port, path) for path in pages}
        assert answers == {404} or (answers == {None} and is_closed(host, port)), (port, answers)


def page(host: str, port: int, path: str) -> int | None:
    """The status that an HTTP server gives; None from a server of another kind."""
    asked = http.client.HTTPConnection(host, port, timeout=30)
    try:
        asked.request("GET", path)
        return asked.getresponse().status
    except (http.client.HTTPException, ConnectionError):
        return None
    finally:
        asked.close()


def is_closed(host: str, port: int) -> bool:
    """Whether a server takes TLS, and ends the connection of a client that has no certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with socket.create_connection((host, port), timeout=30) as plain:
        try:
            with context.wrap_socket(plain) as secured:
                return secured.recv(1) == b""
        except (ssl.SSLError, ConnectionError) as error:
            return "CERTIFICATE_REQUIRED" in str(error) or isinstance(error, ConnectionError)


def test_no_secret_lies_where_others_look(running: Running) -> None:
    for process in relatives():
        told = " ".join(process.cmdline())
        assert "PRIVATE KEY" not in told and "hf_secret" not in told
    for path in running.folder.rglob("*"):
        if path.is_file():
            held = path.read_text(errors="replace")
            assert "PRIVATE KEY" not in held and "hf_secret" not in held, path
    (private,) = (running.folder / ".store" / "tmp").iterdir()
    assert stat.S_IMODE(private.stat().st_mode) == 0o700


@dataclasses.dataclass
class Theirs:
    """A scheduler that somebody started with certificates of their own."""

    address: str
    config: dict[str, Any]


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Theirs]:
    folder = tmp_path_factory.mktemp("theirs")
    made = Security.temporary()
    (folder / "cert.pem").write_text(made.tls_ca_file)
    (folder / "key.pem").write_text(made.tls_worker_key)
    pair = {"cert": str(folder / "cert.pem"), "key": str(folder / "key.pem")}
    tls = "distributed.comm.tls"
    config = {f"{tls}.ca-file": pair["cert"], **{f"{tls}.client.{what}": path for what, path in pair.items()}}
    options = ["--tls-ca-file", pair["cert"], "--tls-cert", pair["cert"], "--tls-key", pair["key"], "--protocol", "tls"]
    file = folder / "scheduler.json"
    started = []
    for what, *words in (("scheduler", "--host", "127.0.0.1", "--port", "0"), ("worker", "--nthreads", "1")):
        command = [sys.executable, "-m", f"distributed.cli.dask_{what}", "--scheduler-file", str(file)]
        command += ["--no-dashboard", *options, *words]
        quiet = subprocess.DEVNULL
        started.append(subprocess.Popen(command, cwd=ROOT, stdout=quiet, stderr=quiet))
    while not file.exists() or not file.read_text().strip():
        assert started[0].poll() is None
        time.sleep(0.05)
    yield Theirs(json.loads(file.read_text())["address"], config)
    for process in started:
        process.kill()
        process.wait()


def test_a_scheduler_by_address_takes_the_users_own_certificates(theirs: Theirs, tmp_path: Path) -> None:
    settings = Cluster(scheduler=theirs.address)
    stages = cheap.points(1)
    with dask.config.set(theirs.config):
        results = cluster.execute(stages, cheap.store_in(tmp_path), cheap.log_in(tmp_path), cheap.Recorder(), settings)
    assert theirs.address.startswith("tls://") and set(results.values()) == {None}


@pytest.mark.filterwarnings("ignore")
def test_without_certificates_it_is_said_what_is_missing(theirs: Theirs, tmp_path: Path) -> None:
    settings = Cluster(scheduler=theirs.address)
    with pytest.raises(StageError, match="no Dask scheduler answers at tls://") as caught:
        cluster.execute([cheap.stage(0)], cheap.store_in(tmp_path), cheap.log_in(tmp_path), cheap.Recorder(), settings)
    assert "distributed.comm.tls" in str(caught.value.hint)


@pytest.mark.parametrize(
    ("address", "told"), [("tcp://127.0.0.1:1", True), ("127.0.0.1:1", True), ("tls://127.0.0.1:1", False)]
)
def test_a_connection_without_tls_is_told_in_one_line(
    address: str, told: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("runner.engine.start._ANSWER_WITHIN", 0.1)
    monkeypatch.chdir(tmp_path)
    before = threading.active_count()
    assert main(["sweep", "digits-int8", "compression.subset_size=10,20", "--scheduler", address]) == 5
    warned = [line for line in capsys.readouterr().err.splitlines() if line.startswith("warning:")]
    assert [" has no TLS: " in line for line in warned] == [True] * told
    assert threading.active_count() <= before + 2
