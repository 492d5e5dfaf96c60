"""What runs that were disturbed may leave behind, and what they must not: used by the campaigns that kill and crowd."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import psutil

from runner.store import Store
from tests.campaigns.trial import Trial
from tests.campaigns.watch import PROJECT

PATIENCE = 240
POINTS, SECONDS = 12, 0.02


def cheap_run(folder: Path, jobs: int) -> list[str]:
    """The command line of a graph of stages that cost next to nothing."""
    return [sys.executable, "-m", "tests.cheap", str(folder), str(jobs), str(POINTS), str(SECONDS)]


def ovrun(outputs: Path, *words: str) -> list[str]:
    """The command line of ovrun."""
    return [sys.executable, "-m", "runner", *words, "--outputs", str(outputs), "--quiet"]


def start(command: list[str], **variables: str) -> subprocess.Popen[bytes]:
    """A run in the background, as the leader of its own process group, with these variables in its environment."""
    quiet, environment = subprocess.DEVNULL, {**os.environ, **variables}
    return subprocess.Popen(
        command, cwd=PROJECT, start_new_session=True, stdout=quiet, stderr=subprocess.PIPE, env=environment
    )


def ended(run: subprocess.Popen[bytes], trial: Trial, codes: Iterable[int] = (0,)) -> bool:
    """Whether a run ends as it should; one that hangs is ended with all that it started."""
    try:
        _, err = run.communicate(timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        for process in [*family(run.pid), psutil.Process(run.pid)]:
            process.kill()
        run.communicate()
        trial.complain(f"{run.args!r:.300} did not end")
        return False
    told = err.decode(errors="replace")
    if run.returncode not in codes:
        trial.complain(f"{run.args!r:.300} ended with {run.returncode}: {told[-1500:]}")
    return run.returncode in codes


def family(pid: int) -> list[psutil.Process]:
    """All processes that descend from one."""
    with contextlib.suppress(psutil.NoSuchProcess):
        return psutil.Process(pid).children(recursive=True)
    return []


def lives(process: psutil.Process) -> bool:
    """Whether a process runs; one that only waits for its exit code to be read does not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def wait_for(what: Callable[[], bool]) -> bool:
    """Wait until something is so, with patience."""
    until = time.monotonic() + PATIENCE
    while not what():
        if time.monotonic() > until:
            return False
        time.sleep(0.005)
    return True


def no_orphans(relatives: list[psutil.Process], trial: Trial) -> None:
    """Complain of processes that outlive their run."""
    if not wait_for(lambda: not any(lives(process) for process in relatives)):
        left = [process for process in relatives if lives(process)]
        trial.complain(f"outlived their run: {left}")
        for process in left:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()


def entries(outputs: Path, trial: Trial, store: str = ".store") -> dict[str, str]:
    """Key -> digest of the files of every visible entry; complains of one that is not whole."""
    found = {}
    for path in (outputs / store / "entries").glob("*/*"):
        if Store(outputs / store).damaged(path.name):
            trial.complain(f"{path} is not whole")
        found[path.name] = digest(path / "files")
    return found


def versions(outputs: Path, trial: Trial) -> dict[str, str]:
    """Recipe and digest of the model of every published version; complains of one that is not whole."""
    found = {}
    for path in outputs.glob("*/[0-9]*"):
        try:
            files = json.loads((path / "manifest.json").read_text())["files"]
            broken = [name for name, row in files.items() if sha256(path / name) != row["sha256"]]
        except (OSError, ValueError, KeyError) as error:
            broken = [repr(error)]
        if broken:
            trial.complain(f"{path} is not whole: {broken}")
        else:
            made = {name: row["sha256"] for name, row in files.items() if name.startswith("openvino_")}
            found[f"{path.parent.name} {json.dumps(made, sort_keys=True)}"] = path.name
    return found


def nothing_left(outputs: Path, trial: Trial, store: str = ".store") -> None:
    """Complain of what no run needs any more."""
    left = [*(outputs / store / "tmp").glob("*"), *outputs.glob("*/.new-*"), *outputs.rglob(".*.tmp")]
    if left:
        trial.complain(f"left behind: {left}")


def copied_store(shared: Path, outputs: Path, trial: Trial) -> None:
    """Begin with what another run had made, but for some of it."""
    shutil.copytree(shared / "outputs" / ".store", outputs / ".store")
    for path in sorted((outputs / ".store" / "entries").glob("*/*")):
        if trial.random.random() < 0.5:
            shutil.rmtree(path)


def digest(folder: Path) -> str:
    """One digest of all files below a folder; of models alone where there are some, for reports have times."""
    total = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        total.update(f"{path.relative_to(folder)} {sha256(path)}\n".encode())
    return total.hexdigest()


def sha256(path: Path) -> str:
    """The SHA-256 of a file's content."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def cmdline(process: psutil.Process) -> str:
    """The command line of a process, or nothing when it is gone."""
    with contextlib.suppress(psutil.Error):
        return " ".join(process.cmdline())
    return ""


def is_server(process: psutil.Process) -> bool:
    """Whether a process is a fork server that was started as such."""
    with contextlib.suppress(psutil.Error):
        parent = process.parent()
        mine = "runner.engine.forkserver" in cmdline(process)
        return mine and not (parent and "runner.engine.forkserver" in cmdline(parent))
    return False


def is_stage(process: psutil.Process) -> bool:
    """Whether a process was forked for a stage."""
    with contextlib.suppress(psutil.Error, ProcessLookupError):
        return "runner.engine.forkserver" in cmdline(process) and os.getsid(process.pid) == process.pid != 0
    return False
