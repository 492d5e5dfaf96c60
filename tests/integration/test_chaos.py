"""Kills at random moments: nothing half-written is ever seen, and the resumed run ends as an undisturbed one does.

The moments come from a seeded generator; there are more than fifty of them in a run of this file.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

from runner.base import files as fs
from tests import cheap
from tests.processes import family, wait_for_end

ROOT = Path(__file__).parents[2]
GROUP_KILLS = {0: 20, 2: 3}
WORKER_KILLS = 12
"""Few of them: the campaign of kills has hundreds."""
POINTS, SECONDS = 12, 0.02


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The digests of a run that nobody disturbs."""
    folder = tmp_path_factory.mktemp("undisturbed")
    assert not any(cheap.execute(cheap.points(POINTS, seconds=SECONDS), folder, 0).values())
    return cheap.digests(folder)


def start(folder: Path, jobs: int, seconds: float = SECONDS) -> subprocess.Popen[bytes]:
    """A run in the background, as the leader of its own process group."""
    command = [sys.executable, "-m", "tests.cheap", str(folder), str(jobs), str(POINTS), str(seconds)]
    return subprocess.Popen(command, cwd=ROOT, start_new_session=True, stderr=subprocess.DEVNULL)


def wait_for_work(run: subprocess.Popen[bytes], folder: Path) -> None:
    """Wait until a stage has begun, or the run has ended."""
    counted = folder / "count"
    before = counted.stat().st_size if counted.exists() else 0
    while run.poll() is None and not (counted.exists() and counted.stat().st_size > before):
        time.sleep(0.005)


@pytest.mark.parametrize("jobs", [0, pytest.param(2, marks=pytest.mark.newest)])
def test_a_sweep_that_is_killed_goes_on_and_ends_the_same(
    jobs: int, tmp_path: Path, undisturbed: dict[str, str]
) -> None:
    moments = random.Random(jobs)
    kills, made = 0, 0
    while kills < GROUP_KILLS[jobs]:
        run = start(tmp_path, jobs)
        wait_for_work(run, tmp_path)
        time.sleep(moments.uniform(0, 0.2))
        relatives = family(run.pid)
        kills += run.poll() is None
        with contextlib.suppress(ProcessLookupError):
            os.killpg(run.pid, signal.SIGKILL)
        run.wait()
        wait_for_end(relatives)
        seen = cheap.digests(tmp_path)
        assert len(seen) >= made and seen.items() <= undisturbed.items()
        made = len(seen)
        if made == len(undisturbed):  # the work is done, and there are kills left: begin anew
            fs.remove_tree(tmp_path / ".store" / "entries")
            made = 0
    assert not any(cheap.execute(cheap.points(POINTS, seconds=SECONDS), tmp_path, jobs).values())
    assert cheap.digests(tmp_path) == undisturbed
    assert not list((tmp_path / ".store" / "tmp").iterdir())


def test_workers_that_are_killed_cost_their_stages_a_retry(tmp_path: Path, undisturbed: dict[str, str]) -> None:
    *stages, last = cheap.points(POINTS, seconds=0.4)
    done = tmp_path / "all killed"
    stages.append(dataclasses.replace(last, params={**last.params, "held_until": str(done)}))
    ended = threading.Event()
    killed: list[int] = []
    killer = threading.Thread(target=kill_workers, args=(random.Random(7), ended, killed, done))
    killer.start()
    try:
        results = cheap.execute(stages, tmp_path, 3, allowed_failures=WORKER_KILLS)
    finally:
        ended.set()
        killer.join()
    assert not any(results.values())
    assert cheap.digests(tmp_path) == undisturbed
    assert not list((tmp_path / ".store" / "tmp").iterdir())
    assert len(killed) == WORKER_KILLS


def kill_workers(moments: random.Random, ended: threading.Event, killed: list[int], done: Path) -> None:
    """Kill a worker now and then, as soon as there is one that works; then let the last stage end."""
    while len(killed) < WORKER_KILLS and not ended.wait(moments.uniform(0.1, 0.7)):
        workers = cheap.workers(os.getpid())
        if workers:
            chosen = moments.choice(workers)
            with contextlib.suppress(psutil.NoSuchProcess):
                chosen.kill()
                killed.append(chosen.pid)
    done.touch()


def test_two_sweeps_at_once_do_shared_work_once(tmp_path: Path, undisturbed: dict[str, str]) -> None:
    runs = [start(tmp_path, jobs, seconds=0.1) for jobs in (0, 0, 2)]
    assert [run.wait(timeout=120) for run in runs] == [0, 0, 0]
    assert (tmp_path / "count").stat().st_size == len(undisturbed)
    assert cheap.digests(tmp_path) == undisturbed


def test_poisoned_stages_leave_the_others_untouched_in_one_process(tmp_path: Path) -> None:
    root = cheap.stage(0)
    bad = [cheap.stage(1, root, do="raise"), cheap.stage(2, root, do="signal")]
    good = [cheap.stage(number, root) for number in range(3, 6)]
    results = cheap.execute([root, bad[0], good[0], bad[1], *good[1:]], tmp_path, 0)
    assert {key for key, error in results.items() if error is not None} == {stage.key for stage in bad}
    assert cheap.digests(tmp_path).keys() == {root.key, *(stage.key for stage in good)}
