"""Processes that tests start: ovrun in the background, what a script imports, and waiting for what others do."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).parents[1]
HEAVY = ("torch", "nncf", "transformers", "openvino", "optimum", "openvino_genai", "tokenizers", "huggingface_hub")


def command(*words: str | Path) -> list[str]:
    """The command line of ovrun as this Python runs it."""
    return [sys.executable, "-m", "runner", *map(str, words)]


def start(*words: str | Path, **more: Any) -> subprocess.Popen[str]:
    """ovrun in the background, as the leader of its own process group."""
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(command(*words), start_new_session=True, **pipes, **more)


def wait_for(what: Callable[[], bool], run: subprocess.Popen[str]) -> None:
    """Wait until something is to be seen, for as long as the run lives."""
    deadline = time.monotonic() + 300
    while not what():
        assert run.poll() is None, f"the run ended first: {run.communicate()}"
        assert time.monotonic() < deadline
        time.sleep(0.01)


def family(pid: int) -> list[psutil.Process]:
    """All processes that descend from one."""
    with contextlib.suppress(psutil.NoSuchProcess):
        return psutil.Process(pid).children(recursive=True)
    return []


def wait_for_end(relatives: list[psutil.Process]) -> None:
    """Wait until processes have ended, whether or not their exit codes have been read."""
    deadline = time.monotonic() + 30
    while living := [process for process in relatives if _lives(process)]:
        assert time.monotonic() < deadline, f"outlived their run: {living}"
        time.sleep(0.01)


def _lives(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def imported_by(code: str, cwd: Path) -> set[str]:
    """The modules that a Python process has loaded after running `code`, by their whole names."""
    script = f"import sys\n{code}\nprint('loaded:', *sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], cwd=cwd, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.rpartition("loaded:")[2].split())
