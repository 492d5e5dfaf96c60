"""What unit tests share: the command line in this very process; none of them starts another."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from runner.cli import main

STARTS = frozenset(
    {"subprocess.Popen", "os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "os.spawn", "os.system", "pty.spawn"}
)
heard: list[str] = []


def _hear(event: str, arguments: tuple[Any, ...]) -> None:
    if event in STARTS:
        heard.append(f"{event} {arguments}"[:200])


sys.addaudithook(_hear)


@pytest.fixture(autouse=True)
def no_process_is_started() -> Iterator[list[str]]:
    """What was started is told at the test's end, even if the code under test took no notice of it."""
    heard.clear()
    yield heard
    assert not heard, "a unit test starts no process: such a test belongs into tests/integration"


@dataclass(frozen=True)
class Done:
    """What a command said; named as `subprocess` has it, so that a test can move."""

    returncode: int
    stdout: str
    stderr: str


@pytest.fixture
def ovrun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Done]:
    """Run ovrun in an empty folder, in this process; `code` is the exit code that is expected."""

    def run(*words: str | Path, code: int = 0, cwd: Path = tmp_path, **env: str) -> Done:
        capsys.readouterr()
        with monkeypatch.context() as here:
            here.chdir(cwd)
            for name, value in env.items():
                here.setenv(name, value)
            returned = main([os.fspath(word) for word in words])
        done = Done(returned, *capsys.readouterr())
        assert done.returncode == code, f"exit code {done.returncode}, not {code}:\n{done.stdout}\n{done.stderr}"
        assert "Traceback" not in done.stdout + done.stderr
        return done

    return run
