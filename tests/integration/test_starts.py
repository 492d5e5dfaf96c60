"""Stages whose process can't start, or whose fork server is killed: nothing hangs or leaks, and words tell why."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from runner.engine import forkclient, obtain
from runner.engine.failures import OutOfMemoryError
from runner.errors import OvrunError, StageError
from runner.plan.types import Stage
from tests import cheap

ROOT = Path(__file__).parents[2]
JOBS = (0, 2)


def descriptors() -> int:
    """How many files this process has open."""
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208


def servers() -> list[psutil.Process]:
    """The fork servers below this process, and what they forked."""
    return [one for one in psutil.Process().children(recursive=True) if is_server(one)]


def is_server(process: psutil.Process | None) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess):
        return process is not None and "runner.engine.forkserver" in " ".join(process.cmdline())
    return False


def roots() -> list[psutil.Process]:
    """The fork servers that were started as such."""
    return [one for one in servers() if not is_server(one.parent())]


def templates() -> list[psutil.Process]:
    """What fork servers forked to fork from; a stage leads a session of its own."""
    return [one for one in servers() if is_server(one.parent()) and os.getsid(one.pid) != one.pid]


@pytest.fixture(autouse=True)
def nothing_is_left() -> Iterator[None]:
    before, open_before = {one.pid for one in psutil.Process().children(recursive=True)}, descriptors()
    yield
    deadline = time.monotonic() + 60
    while {one.pid for one in psutil.Process().children(recursive=True)} - before:
        assert time.monotonic() < deadline, "a process outlived its run"
        time.sleep(0.05)
    while descriptors() > open_before + 4:  # Dask keeps a thread's own few
        assert time.monotonic() < deadline, "files are open that were not"
        time.sleep(0.05)


def row(count: int = 4, **params: object) -> list[Stage]:
    """Stages one after the other."""
    stages: list[Stage] = []
    for number in range(count):
        stages.append(cheap.stage(number, *stages[-1:], name=f"step{number}", **params))
    return stages


def take_away(folder: Path, put: str | None = None) -> None:
    """Make a folder vanish at once, also while others write into it; a file may take its place."""
    for attempt in range(1000):
        with contextlib.suppress(FileNotFoundError):
            folder.rename(folder.with_name(f"taken{attempt}"))
        if put is None:
            return
        with contextlib.suppress(IsADirectoryError):  # someone made it anew
            folder.write_text(put)
            return


@pytest.mark.parametrize("jobs", JOBS)
def test_logs_that_vanish_are_written_anew(jobs: int, tmp_path: Path) -> None:
    watcher = cheap.Acting("started", "step1", lambda: take_away(tmp_path / "logs"))
    results = cheap.execute(row(seconds=0.2), tmp_path, jobs, watcher)
    assert watcher.acted and set(results.values()) == {None}
    assert not list((tmp_path / ".store" / "tmp").iterdir())


@pytest.mark.parametrize("jobs", JOBS)
def test_logs_that_cannot_be_written_are_told(jobs: int, tmp_path: Path) -> None:
    def block() -> None:
        take_away(tmp_path / "logs", put="in the way")

    stages = row(seconds=0.3)
    results = cheap.execute(stages, tmp_path, jobs, cheap.Acting("started", "step1", block))
    failed = [results[stage.key] for stage in stages if results[stage.key] is not None]
    assert isinstance(failed[0], StageError) and str(tmp_path / "logs") in failed[0].message
    assert results[stages[0].key] is None and results[stages[3].key] is not None
    assert not list((tmp_path / ".store" / "tmp").iterdir())


def with_few_files(limit: int, act: Callable[[], object]) -> object:
    """Do something while this process may open only a few more files."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    highest = max(int(name) for name in os.listdir("/proc/self/fd"))  # noqa: PTH208
    resource.setrlimit(resource.RLIMIT_NOFILE, (highest + limit, hard))
    try:
        return act()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize("limit", range(1, 26, 3))
def test_few_open_files_are_told_and_nothing_hangs(limit: int, tmp_path: Path) -> None:
    stages = row(3)
    store, log_of, watcher = cheap.store_in(tmp_path), cheap.log_in(tmp_path), cheap.Recorder()

    def attempt() -> object:
        return obtain_all(stages, store, log_of, watcher)

    results = with_few_files(limit, attempt)
    assert isinstance(results, dict)
    for error in results.values():
        assert error is None or (isinstance(error, OvrunError) and not isinstance(error, OutOfMemoryError))
    told = [error.message for error in results.values() if error is not None]
    assert all("open files" in text or "did not run" in text or "fork server" in text for text in told), told
    results = obtain_all(stages, store, log_of, watcher)
    assert set(results.values()) == {None}


def obtain_all(stages: list[Stage], store: object, log_of: object, watcher: object) -> dict[str, OvrunError | None]:
    from runner.engine import local

    return local.execute(stages, store, log_of, watcher)  # type: ignore[arg-type]


@pytest.mark.parametrize("limit", [24, 40, 64, 96])
@pytest.mark.parametrize("jobs", JOBS)
def test_a_run_with_few_open_files_ends(jobs: int, limit: int, tmp_path: Path) -> None:
    code = (
        "import resource, runpy, sys\n"
        "import tests.cheap\n"
        f"resource.setrlimit(resource.RLIMIT_NOFILE, ({limit}, {limit}))\n"
        f"sys.argv = ['cheap', {str(tmp_path)!r}, '{jobs}', '3', '0.05']\n"
        "tests.cheap.main()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode in (0, 1)
    last = (done.stderr.strip().splitlines() or [""])[-1]
    assert "Traceback" not in done.stderr or "StageError" in last, done.stderr
    tmp = tmp_path / ".store" / "tmp"
    assert not tmp.exists() or not list(tmp.iterdir())


LIMITED = """\
import os, resource, socket
from runner.engine import child, forkserver
os.setresuid(54321, 54321, 54321)
resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
forkserver._Server(socket.socket(fileno=os.dup(0))).serve()
"""


@pytest.mark.parametrize("template", [True, False])
def test_a_limit_of_processes_is_told(template: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if os.getuid() != 0:
        pytest.skip("only root can take on another user")
    monkeypatch.setattr(cheap, "TEMPLATE", cheap.TEMPLATE if template else None)
    monkeypatch.setattr(forkclient.python, "command", lambda module: [sys.executable, "-P", "-c", LIMITED])
    errors = obtain_all(row(2), cheap.store_in(tmp_path), cheap.log_in(tmp_path), cheap.Recorder()).values()
    first, second = errors
    assert isinstance(first, StageError) and isinstance(second, StageError)
    assert "no process can be started for a stage: Resource temporarily unavailable" in first.message
    assert first.hint is not None and "ulimit -u" in first.hint


def kill(processes: list[psutil.Process]) -> None:
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()


@pytest.mark.parametrize("jobs", JOBS)
@pytest.mark.parametrize("which", ["all", "template"])
def test_a_killed_fork_server_is_replaced(jobs: int, which: str, tmp_path: Path) -> None:
    def strike() -> None:
        kill([*templates(), *(roots() if which == "all" else [])])

    stages = row(seconds=0.3)
    watcher = cheap.Acting("started", "step1", lambda: threading.Timer(0.1, strike).start())
    results = cheap.execute(stages, tmp_path, jobs, watcher)
    assert watcher.acted and set(results.values()) == {None}
    assert not list((tmp_path / ".store" / "tmp").iterdir())


@pytest.mark.parametrize("count", [1, 2])
def test_a_template_is_made_where_several_stages_fork_from_it(count: int, tmp_path: Path) -> None:
    seen: list[int] = []
    watcher = cheap.Acting("progress", "step0", lambda: seen.append(len(templates())))
    assert set(cheap.execute(row(count, seconds=0.3), tmp_path, 0, watcher).values()) == {None}
    assert seen == [int(count > 1)]


def test_a_fork_server_that_is_killed_each_time_is_told_as_what_it_is(tmp_path: Path) -> None:
    ended = threading.Event()

    def strike() -> None:
        while not ended.wait(0.02):
            kill(roots())

    killer = threading.Thread(target=strike)
    killer.start()
    try:
        (error,) = cheap.execute([cheap.stage(1, seconds=4)], tmp_path, 0).values()
    finally:
        ended.set()
        killer.join()
    assert isinstance(error, StageError) and not isinstance(error, OutOfMemoryError)
    assert "the fork server) ended by signal SIGKILL" in error.message and error.log is not None
    assert not list((tmp_path / ".store" / "tmp").iterdir())


def test_a_start_that_fails_half_way_leaks_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = descriptors()

    def full(*_: object) -> None:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(socket, "send_fds", full)
    results = obtain_all(row(2), cheap.store_in(tmp_path), cheap.log_in(tmp_path), cheap.Recorder())
    assert all(isinstance(error, StageError) for error in results.values())
    assert descriptors() == before


def test_an_interrupt_between_two_starts_ends_both(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begun = obtain.StageProcess.__init__
    count = 0

    def interrupted(self: object, *args: object, **more: object) -> None:
        nonlocal count
        count += 1
        if count == 2:
            raise KeyboardInterrupt
        begun(self, *args, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(obtain.StageProcess, "__init__", interrupted)
    with pytest.raises(KeyboardInterrupt):
        cheap.execute(row(3), tmp_path, 0)
    assert count == 2 and not list((tmp_path / ".store" / "tmp").iterdir())


def test_a_stage_whose_child_holds_its_pipe_does_not_hang(tmp_path: Path) -> None:
    (error,) = cheap.execute([cheap.stage(1, do="leave a child and die")], tmp_path, 0).values()
    assert isinstance(error, StageError) and signal.Signals.SIGSEGV.name in error.message


@pytest.mark.parametrize("jobs", JOBS)
def test_the_rest_of_a_stage_runs_when_its_first_process_has_ended(jobs: int, tmp_path: Path) -> None:
    stage = cheap.stage(0, rest="more")
    assert cheap.execute([stage], tmp_path, jobs) == {stage.key: None}
    entry = cheap.store_in(tmp_path).find(stage.key)
    assert entry and (entry.files / "out").read_text().endswith(" and the rest")
    told = entry.result
    assert told["first"] != told["second"] and told["first"] not in told["others"] and told["number"] == 0


def test_of_a_stage_whose_rest_fails_nothing_stays(tmp_path: Path) -> None:
    store, stage = cheap.store_in(tmp_path), cheap.stage(0, rest="raise")
    (error,) = cheap.execute([stage], tmp_path, 0).values()
    assert error and "the rest was told to fail" in str(error) and store.find(stage.key) is None
    assert not list((store.root / "tmp").glob("*"))
