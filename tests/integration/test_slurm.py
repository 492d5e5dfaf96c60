"""Sweeps on a real Slurm of two nodes."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from runner.engine import cluster
from runner.engine.settings import Cluster
from runner.errors import RecipeError, StageError
from tests import cheap, slurm

pytestmark = pytest.mark.slurm

REQUESTS = """\
cores: 2
memory: 1GB
walltime: 00:10:00
interface: lo
"""


@pytest.fixture(scope="module")
def nodes() -> Iterator[Mapping[str, str]]:
    """A running Slurm, and its environment in this process."""
    if absent := slurm.missing():
        assert not os.environ.get("OVRUN_REQUIRE_SLURM"), f"Slurm is required, and lacks {absent}"
        pytest.skip(f"Slurm is not installed (apt-get install slurm-wlm munge): no {', '.join(absent)}")
    folder = Path(tempfile.mkdtemp(prefix="ovrun-slurm-"))  # a socket's path has to be short
    before = dict(os.environ)
    try:
        with slurm.running(folder) as env:
            os.environ.update(env)
            yield env
    finally:
        os.environ.clear()
        os.environ.update(before)
        shutil.rmtree(folder)


@pytest.fixture
def requests(tmp_path: Path) -> Path:
    """A file of resource requests."""
    path = tmp_path / "slurm.yaml"
    path.write_text(REQUESTS)
    return path


def queue(env: Mapping[str, str]) -> list[list[str]]:
    """The jobs that are there: number, state, node."""
    told = subprocess.run(["squeue", "-h", "-o", "%i %T %N"], env=env, capture_output=True, text=True, check=True)
    return [line.split() for line in told.stdout.splitlines()]


def test_a_sweep_on_two_nodes_survives_the_loss_of_its_jobs(
    nodes: Mapping[str, str], requests: Path, tmp_path: Path
) -> None:
    stages = cheap.points(6, seconds=0.5)
    seen, lost = cheap.Recorder(), threading.Event()

    def lose_jobs() -> None:
        while len({worker for _, worker in seen.of("started")}) < 2:
            time.sleep(0.05)
        jobs = queue(nodes)
        assert {node for _, _, node in jobs} == {"n1", "n2"}
        subprocess.run(["scancel", *(number for number, _, _ in jobs)], env=nodes, check=True)
        lost.set()

    threading.Thread(target=lose_jobs, daemon=True).start()
    folder = tmp_path / "slurm"
    settings = Cluster(slurm=requests, workers=2)
    results = cluster.execute(stages, cheap.store_in(folder), cheap.log_in(folder), seen, settings)
    assert set(results.values()) == {None} and lost.is_set()
    cheap.execute(stages, tmp_path / "here", 0)
    assert cheap.digests(folder) == cheap.digests(tmp_path / "here")
    deadline = time.monotonic() + 20
    while left := [job for job in queue(nodes) if job[1] in ("RUNNING", "PENDING")]:
        assert time.monotonic() < deadline, f"jobs outlived the sweep: {left}"
        time.sleep(0.2)


def test_a_stage_that_takes_more_than_its_job_has(nodes: Mapping[str, str], requests: Path, tmp_path: Path) -> None:
    greedy = cheap.stage(1, do="eat", bytes=1100 << 20)
    settings = Cluster(slurm=requests, workers=1)
    store, log_of, seen = cheap.store_in(tmp_path), cheap.log_in(tmp_path), cheap.Recorder()
    (error,) = cluster.execute([greedy], store, log_of, seen, settings).values()
    assert error is not None and "more than the" in error.message and "tried 2 times" in error.message


def test_a_job_that_slurm_refuses_is_told_before_anything_waits(
    nodes: Mapping[str, str], requests: Path, tmp_path: Path
) -> None:
    requests.write_text(REQUESTS + "queue: nowhere\n")
    settings = Cluster(slurm=requests, workers=1)
    with pytest.raises(StageError, match=r"Slurm takes no such job: .*invalid partition"):
        cluster.execute([cheap.stage(1)], cheap.store_in(tmp_path), cheap.log_in(tmp_path), cheap.Recorder(), settings)


def test_mistakes_in_the_requests_are_told_with_their_places(tmp_path: Path) -> None:
    from runner.engine import slurm as requests_of

    path = tmp_path / "slurm.yaml"
    path.write_text("core: 2\nmemory: 12\nwalltime: 02:00:00\n")
    with pytest.raises(RecipeError) as caught:
        requests_of.read(path)
    told = [str(problem) for problem in caught.value.problems]
    assert any("slurm.yaml:1:1: core: unknown key" in line and "did you mean cores?" in line for line in told)
    assert any("slurm.yaml:2:9: memory:" in line for line in told)
    assert any("cores" in line and "missing" in line for line in told)
