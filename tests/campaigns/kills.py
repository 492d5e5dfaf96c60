"""Kills at random moments: nothing half-made is seen, nothing outlives its run, and the next run ends as undisturbed.

Each case kills one process of a run: the run itself, its fork server, a stage, a worker of Dask, the process that owns
the cluster; of stages that cost next to nothing, and of real recipes with their conversion, calibration and publishing.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.campaigns import harness, traces
from tests.campaigns.harness import Campaign, Trial

Chosen = Callable[[psutil.Process], bool]


@dataclass(frozen=True)
class Victim:
    """What is killed.

    Attributes:
        weight: how often.
        jobs: with how many workers the cheap graph runs; None for a real recipe.
        is_it: which process of the run's family; None for the run itself.
        words: the command of a real recipe.
    """

    weight: int
    jobs: int | None
    is_it: Chosen | None
    words: tuple[str, ...] = ()


def _worker(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.Error):
        return "spawn_main" in traces.cmdline(process) and bool(process.children())
    return False


def _host(process: psutil.Process) -> bool:
    return "runner.engine.host" in traces.cmdline(process)


OPTIMIZE = ("optimize", "digits-int8")
SWEEP = ("sweep", "digits-int8", "compression.subset_size=10,20")
VICTIMS = {
    "run": Victim(28, 0, None),
    "fork server": Victim(14, 0, traces.is_server),
    "stage": Victim(8, 0, traces.is_stage),
    "run with workers": Victim(6, 2, None),
    "worker": Victim(8, 2, _worker),
    "worker's fork server": Victim(6, 2, traces.is_server),
    "host": Victim(4, 2, _host),
    "optimize": Victim(12, None, None, OPTIMIZE),
    "fork server of optimize": Victim(6, None, traces.is_server, OPTIMIZE),
    "sweep": Victim(6, None, None, SWEEP),
    "sweep with workers": Victim(2, None, None, (*SWEEP, "--jobs", "2")),
}


def prepare(shared: Path) -> None:
    """What runs come to that nobody disturbs."""
    subprocess.run(traces.cheap_run(shared / "cheap", 0), cwd=traces.PROJECT, check=True)
    for words in (OPTIMIZE, SWEEP):
        subprocess.run(traces.ovrun(shared / "outputs", *words), cwd=traces.PROJECT, check=True)


def case(trial: Trial) -> None:
    """One kill, and a run that goes on from there."""
    name = trial.random.choices(list(VICTIMS), [victim.weight for victim in VICTIMS.values()])[0]
    victim = VICTIMS[name]
    outputs, shared = (trial.folder / "outputs", trial.shared / ("outputs" if victim.jobs is None else "cheap"))
    command = _command(victim, outputs)
    trial.note(f"killed: {name}")
    if victim.jobs is None:
        traces.copied_store(trial.shared, outputs, trial)
    _disturb(command, victim, outputs, trial)
    whole = traces.entries(shared, trial)
    if not traces.entries(outputs, trial).items() <= whole.items():
        trial.complain("an entry is not what an undisturbed run makes")
    if not traces.ended(traces.start(command), trial):
        return
    made = traces.entries(outputs, trial)
    if not made.items() <= whole.items():
        trial.complain("an entry of the run that went on is not what an undisturbed run makes")
    if victim.jobs is not None and made != whole:
        trial.complain("entries are missing")
    expected, found = traces.versions(shared, trial), traces.versions(outputs, trial)
    if victim.jobs is None and not (found and found.keys() <= expected.keys()):
        trial.complain(f"published {found}, not of {expected}")
    traces.nothing_left(outputs, trial)


def _command(victim: Victim, outputs: Path) -> list[str]:
    return traces.ovrun(outputs, *victim.words) if victim.jobs is None else traces.cheap_run(outputs, victim.jobs)


def _disturb(command: list[str], victim: Victim, outputs: Path, trial: Trial) -> None:
    """Run, and kill; if the run was faster, its work is undone and it gets another chance."""
    for _ in range(10):
        run = traces.start(command)
        began = traces.wait_for(lambda run=run: run.poll() is not None or _has_begun(outputs))  # type: ignore[misc]
        time.sleep(trial.random.uniform(0, 0.4))
        relatives = traces.family(run.pid)
        struck = began and _strike(run, victim, relatives, trial)
        if struck and victim.is_it is None:
            run.communicate()
        else:
            traces.ended(run, trial, (0, 1, 4, 5))
        traces.no_orphans(relatives, trial)
        if struck:
            return
        _undo(outputs)
    trial.complain("the run was always faster")


def _strike(run: subprocess.Popen[bytes], victim: Victim, relatives: list[psutil.Process], trial: Trial) -> bool:
    """Kill what is to be killed; whether it was there."""
    if victim.is_it is None:
        alive = run.poll() is None
        with contextlib.suppress(ProcessLookupError):
            os.kill(run.pid, signal.SIGKILL)
        return alive
    chosen = [process for process in relatives if victim.is_it(process)]
    if not chosen:
        return False
    with contextlib.suppress(psutil.NoSuchProcess):
        trial.random.choice(chosen).kill()
        return True
    return False


def _has_begun(outputs: Path) -> bool:
    """Whether a stage has begun in this run or one before."""
    logs = [*(outputs / "logs").glob("*.log"), *(outputs / ".logs").rglob("*.log")]
    return any(b"\n--- " in path.read_bytes() for path in logs)


def _undo(outputs: Path) -> None:
    for path in (outputs / ".store" / "entries").glob("*/*"):
        shutil.rmtree(path)
    for path in outputs.glob("*/[0-9]*"):
        shutil.rmtree(path)


CAMPAIGN = Campaign("kills", 200, case, prepare, megabytes=8000, patience=900)

if __name__ == "__main__":
    sys.exit(harness.main(CAMPAIGN))
