"""`make bench-scaling`: how engines scale, shown with stages that only wait, and what a stage costs beyond its work.

Each stage is a real one: a task of Dask, a lock, a process, an entry published in the store. Efficiency is the waiting
that was done, by worker and second, on workers that have started: from the call of the engine to its return.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from bench.run import verdict
from runner.engine import cluster
from runner.engine.settings import Cluster
from runner.engine.shares import available_memory
from runner.engine.start import connected
from tests import cheap

WORKERS = (1, 2, 4, 8, 16)


def main() -> None:
    """Measure, print, and check against the targets."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stages", type=int, default=256, help="how many stages wait")
    parser.add_argument("--seconds", type=float, default=0.5, help="how long each of them waits")
    parser.add_argument("--workers", type=int, nargs="*", default=WORKERS, help="numbers of workers to try")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ovrun-bench-") as name:
        work = Path(name)
        print("overhead of a stage")
        overhead("in this process", work / "here", 0, 20)
        overhead("through Dask, on one worker", work / "dask", 1, 50)
        print(f"\n{chosen.stages} stages of {chosen.seconds} s")
        for workers in chosen.workers:
            scale(work / str(workers), workers, chosen.stages, chosen.seconds)


def overhead(name: str, folder: Path, jobs: int, limit: float) -> None:
    """Milliseconds for each of a row of stages that do nothing, from the end of the first to the end of the last."""
    stages = [cheap.stage(number) for number in range(101)]
    seen = cheap.Recorder()
    assert not any(cheap.execute(stages, folder, jobs, seen).values())
    ends = [event[0] for event in seen.told if event[1] == "finished"]
    verdict(name, 1000 * (ends[-1] - ends[0]) / (len(ends) - 1), limit, " ms")


def scale(folder: Path, workers: int, count: int, seconds: float) -> None:
    """Efficiency on a number of workers, and how long they took to start."""
    store, log_of = cheap.store_in(folder), cheap.log_in(folder)
    shares = [available_memory() // workers] * workers
    asked = time.monotonic()
    with connected(Cluster(jobs=workers), shares, folder / "logs" / "cluster.log") as client:
        client.wait_for_workers(workers)
        there = Cluster(scheduler=client.scheduler.address)
        warm = [cheap.stage(number, name="warm", seconds=0.5) for number in range(2 * workers)]
        cluster.execute(warm, store, log_of, cheap.Recorder(), there)
        stages = [cheap.stage(number, seconds=seconds) for number in range(count)]
        start = time.monotonic()
        assert not any(cluster.execute(stages, store, log_of, cheap.Recorder(), there).values())
        wall = time.monotonic() - start
    efficiency = count * seconds / (workers * wall)
    met = "met" if efficiency >= 0.9 else "MISSED"
    started = f"workers took {start - asked:.1f} s to start"
    print(
        f"  {workers:>2} workers {wall:7.2f} s  efficiency {efficiency:.3f} (at least 0.9)  {met}; {started}",
        flush=True,
    )


if __name__ == "__main__":
    main()
