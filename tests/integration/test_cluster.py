"""The Dask engine with real clusters: the same results as the local engine, and what becomes of stages that fail."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from runner.engine import cluster
from runner.engine.estimate import Costs
from runner.engine.failures import OutOfMemoryError
from runner.engine.local import NotRunError
from runner.engine.settings import Cluster
from runner.errors import AccuracyError, OvrunError, RecipeError, StageError
from runner.plan.types import Stage
from runner.store import Entry
from tests import cheap
from tests.processes import wait_for_end

ROOT = Path(__file__).parents[2]
MB = 1 << 20


def poisoned() -> tuple[list[Stage], dict[str, Stage]]:
    """A graph in which some stages fail, each in its own way."""
    root = cheap.stage(0)
    good = [cheap.stage(number, root) for number in range(1, 5)]
    bad = {
        "raise": cheap.stage(10, root, do="raise"),
        "refuse": cheap.stage(11, root, do="refuse"),
        "signal": cheap.stage(12, root, do="signal"),
        "eat": cheap.stage(13, root, do="eat", bytes=1200 * MB),
        "kill": cheap.stage(14, root, do="kill its worker"),
    }
    behind = {f"behind {how}": cheap.stage(20 + i, one) for i, (how, one) in enumerate(bad.items())}
    return [root, *good], bad | behind


def test_failing_stages_leave_the_others_untouched(tmp_path: Path) -> None:
    good, bad = poisoned()
    seen = cheap.Recorder()
    results = cheap.execute([*good, *bad.values()], tmp_path / "jobs", 2, seen, memory=1200 * MB, allowed_failures=1)
    assert [results[stage.key] for stage in good] == [None] * len(good)
    told = {how: results[stage.key] for how, stage in bad.items()}
    assert isinstance(told["raise"], StageError) and "ValueError: this stage was told to fail" in told["raise"].message
    assert isinstance(told["signal"], StageError) and "SIGSEGV" in told["signal"].message
    refused = told["refuse"]
    assert isinstance(refused, RecipeError) and refused.hint == "Be right."
    assert str(refused.problems[0]) == "x.yaml:1:2: a.key: is wrong; allowed: right (did you mean right?)"
    eaten = told["eat"]
    assert isinstance(eaten, OutOfMemoryError) and "MB" in eaten.message and "tried 2 times" in eaten.message
    assert isinstance(told["kill"], StageError) and "2 workers died while they ran it" in told["kill"].message
    for how in ("raise", "refuse", "signal", "eat", "kill"):
        behind, cause = told[f"behind {how}"], told[how]
        assert isinstance(behind, NotRunError) and behind.cause is cause
        assert isinstance(cause, OvrunError) and cause.log is not None and cause.log.is_file()
    assert [label for label, *_ in seen.of("started")].count(bad["eat"].label) == 2
    assert not list((tmp_path / "jobs" / ".store" / "tmp").iterdir())
    assert cheap.digests(tmp_path / "jobs").keys() == {stage.key for stage in good}
    here = cheap.execute(
        [*good, *(one for how, one in bad.items() if how.split()[-1] not in ("eat", "kill"))], tmp_path / "here", 0
    )
    assert {key: type(error) for key, error in here.items()} == {key: type(results[key]) for key in here}


class Judge(cheap.Recorder):
    """Refuses one stage when it is in the store, after some time."""

    def __init__(self, refused: Stage) -> None:
        super().__init__()
        self.refused = refused

    def finished(self, stage: Stage, entry: Entry, reused: bool) -> None:
        super().finished(stage, entry, reused)
        if stage == self.refused:
            time.sleep(0.5)  # in which a stage behind it would have ended
            message = "too far from its original"
            raise AccuracyError(message)


@pytest.mark.parametrize("jobs", [0, 2])
def test_nothing_is_made_of_a_model_that_is_refused(jobs: int, tmp_path: Path) -> None:
    """Of two models, one misses; what reads both in the end needs the good one's stages too."""
    bad, good = cheap.stage(0, name="convert", seconds=0.1), cheap.stage(1, name="convert", seconds=0.1)
    behind = [one := cheap.stage(2, bad), cheap.stage(3, one)]
    beside = [other := cheap.stage(4, good), cheap.stage(5, other), cheap.stage(6)]
    both = cheap.stage(7, behind[1], beside[1])
    judge = Judge(bad)
    results = cheap.execute([bad, good, *behind, *beside, both], tmp_path, jobs, judge)
    refused = results[bad.key]
    assert isinstance(refused, AccuracyError)
    for stage in (*behind, both):
        error = results[stage.key]
        assert isinstance(error, NotRunError) and error.cause is refused
    assert [results[stage.key] for stage in (good, *beside)] == [None] * 4
    assert {label for label, *_ in judge.of("started")} == {stage.label for stage in (bad, good, *beside)}
    assert cheap.digests(tmp_path).keys() == {stage.key for stage in (bad, good, *beside)}


@pytest.mark.parametrize("do", [None, "raise"])
def test_a_worker_that_dies_as_soon_as_its_stage_has_ended_costs_nothing(do: str | None, tmp_path: Path) -> None:
    """Dask then tells first that a task is finished, and then that its result is lost."""
    first = cheap.stage(0, name="first", seconds=0.2, do=do)
    stages = [first, cheap.stage(1, first), cheap.stage(2)]

    def strike() -> None:
        time.sleep(2)  # the stage ends meanwhile, and nobody listens
        for worker in cheap.workers(os.getpid()):
            worker.kill()
        time.sleep(0.2)  # Dask hears of it, and has no new worker yet

    watcher = cheap.Acting("started", "first", strike)
    results = cheap.execute(stages, tmp_path, 1, watcher, allowed_failures=3)
    assert watcher.acted
    assert [str(error) for error in results.values() if error and "connection" in str(error)] == []
    assert [results[stage.key] is None for stage in stages] == [do is None, do is None, True]


def test_results_are_those_of_one_process_and_each_worker_has_its_own_cores(tmp_path: Path) -> None:
    slow = cheap.stage(7, name="slow", seconds=1.2)
    stages = [*cheap.points(6, seconds=0.05), slow]
    seen = cheap.Recorder()
    cheap.execute(stages, tmp_path / "here", 0)
    assert set(cheap.execute(stages, tmp_path / "jobs", 2, seen).values()) == {None}
    assert cheap.digests(tmp_path / "jobs") == cheap.digests(tmp_path / "here")
    assert {worker for _, worker in seen.of("started")} == {"worker 0", "worker 1"}
    assert slow.label in {label for label, *_ in seen.of("progress")}
    cores = {tuple(result["cores"]) for *_, result in seen.of("finished")}
    if len(os.sched_getaffinity(0)) > 1:
        assert len(cores) == 2 and not set.intersection(*map(set, cores))
    again = cheap.Recorder()
    cheap.execute(stages, tmp_path / "jobs", 2, again)
    assert not again.of("started") and all(reused for _, reused, _ in again.of("finished"))


def test_stages_that_need_more_than_a_workers_share_are_not_run_together(tmp_path: Path) -> None:
    source = cheap.stage(0, name="source")
    small, *large = [cheap.stage(n, source, name="large", do="eat", bytes=(280 + n) * MB, seconds=0) for n in range(3)]
    cheap.execute([source, small], tmp_path, 1)
    store = cheap.store_in(tmp_path)
    known = store.find(small.key)
    assert known is not None
    costs = Costs(store)
    costs.note(small, known)  # from now on such a stage is known to need some 350 MB
    costs.save()
    seen = cheap.Recorder()
    results = cheap.execute(large, tmp_path, 2, seen, memory=600 * MB)
    assert set(results.values()) == {None}
    workers = [worker for _, worker in seen.of("started")]
    assert len(workers) == 2 and len(set(workers)) == 1  # a worker runs one stage at a time


def test_fail_fast_gives_up_what_runs(tmp_path: Path) -> None:
    slow = cheap.stage(0, seconds=60)
    failing = cheap.stage(1, do="raise")
    start = time.monotonic()
    results = cheap.execute([failing, slow], tmp_path, 2, fail_fast=True)
    assert time.monotonic() - start < 50
    given_up = results[slow.key]
    assert isinstance(given_up, NotRunError) and given_up.given_up and "told to fail" in given_up.cause.message
    assert not list((tmp_path / ".store" / "tmp").iterdir())


def test_ctrl_c_ends_everything_and_leaves_nothing_half_written(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.cheap", str(tmp_path), "2", "4", "30"]
    run = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, start_new_session=True)
    counted = tmp_path / "count"
    while not counted.exists():
        assert run.poll() is None
        time.sleep(0.05)
    family = psutil.Process(run.pid).children(recursive=True)
    os.killpg(run.pid, signal.SIGINT)  # as a terminal does
    _, error = run.communicate(timeout=60)
    assert error.decode().strip().endswith("KeyboardInterrupt")
    wait_for_end(family)
    assert not list((tmp_path / ".store" / "tmp").iterdir())
    assert " - distributed" not in error.decode(), "what Dask says belongs into the log"


@pytest.fixture
def scheduler(tmp_path: Path) -> Iterator[str]:
    """The address of a scheduler with two workers, started as a person starts them."""
    file = tmp_path / "scheduler.json"
    workers = [("worker", "--nthreads", "1", "--memory-limit", "2GB", "--name", name) for name in ("ann", "bob")]
    started = [_dask(file, *words) for words in (("scheduler", "--host", "127.0.0.1", "--port", "0"), *workers)]
    while not file.exists() or not file.read_text().strip():
        assert started[0].poll() is None
        time.sleep(0.05)
    yield json.loads(file.read_text())["address"]
    for process in started:
        process.kill()
    for process in started:
        process.wait()


def _dask(file: Path, what: str, *words: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", f"distributed.cli.dask_{what}", "--scheduler-file", str(file), "--no-dashboard"]
    quiet = subprocess.DEVNULL
    return subprocess.Popen([*command, *words], cwd=ROOT, stdout=quiet, stderr=quiet)


def test_any_scheduler(scheduler: str, tmp_path: Path) -> None:
    stages = cheap.points(3, seconds=0.1)
    seen = cheap.Recorder()
    settings = Cluster(scheduler=scheduler)
    store, logs = cheap.store_in(tmp_path / "theirs"), cheap.log_in(tmp_path / "theirs")
    assert set(cluster.execute(stages, store, logs, seen, settings).values()) == {None}
    assert {worker for _, worker in seen.of("started")} == {"ann", "bob"}
    cheap.execute(stages, tmp_path / "here", 0)
    assert cheap.digests(tmp_path / "theirs") == cheap.digests(tmp_path / "here")
    foreign = cheap.stage(99)
    foreign = dataclasses.replace(foreign, document={**foreign.document, "versions": {"numpy": "1.0"}})
    (error,) = cluster.execute([foreign], store, logs, seen, settings).values()
    assert isinstance(error, StageError) and "has numpy" in error.message and "here: 1.0" in error.message


def test_a_scheduler_that_does_not_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runner.engine.start._ANSWER_WITHIN", 1)
    settings = Cluster(scheduler="tcp://127.0.0.1:1")
    with pytest.raises(StageError, match=r"no Dask scheduler answers at tcp://127\.0\.0\.1:1"):
        cluster.execute([cheap.stage(0)], cheap.store_in(tmp_path), cheap.log_in(tmp_path), cheap.Recorder(), settings)
