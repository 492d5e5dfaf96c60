"""A campaign whose cases do, by their number, what the harness must find."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path

from runner.report.output import Output
from tests.campaigns.harness import Campaign, Trial


def _say(text: str, code: int) -> int:
    print(text, file=sys.stderr)
    return code


def _raise() -> int:
    message = "planted"
    raise ValueError(message)


def _write(path: str) -> int:
    Path(path).write_text("x")
    return 0


def _read(path: str) -> int:
    Path(path).read_text()
    return 0


def _link(trial: Trial) -> int:
    Path("link").symlink_to(trial.folder.parent)
    return _write("link/elsewhere")


def _chmod(path: Path) -> int:
    path.chmod(path.stat().st_mode)
    return 0


def _hang() -> int:
    time.sleep(60)
    return 0


def _eat(megabytes: int) -> int:
    time.sleep(len(bytearray(b"x" * (megabytes << 20))) / (megabytes << 20))
    return 0


def _connect() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
    return 0


def _import(trial: Trial) -> int:
    Path("stray.py").write_text("found = True\n")
    sys.path.insert(0, str(trial.folder))
    import stray  # type: ignore[import-not-found]

    sys.path.pop(0)
    return int(not stray.found)


FAULTS: dict[str, Callable[[Trial], int]] = {
    "": lambda trial: _write(str(trial.folder / "mine")),
    "Traceback": lambda trial: _say("Traceback (most recent call last)", 2),
    "mistake in ovrun": lambda trial: _raise(),
    "exit code 77": lambda trial: _say("odd", 77),
    "without a word": lambda trial: 2,
    "main raised GeneratorExit": lambda trial: (_ for _ in ()).throw(GeneratorExit()),
    "opened to write": lambda trial: _write(str(trial.folder.parent / "elsewhere")),
    "opened to read": lambda trial: _read("/bin/true"),
    "through a link": lambda trial: _link(trial),
    "started a process": lambda trial: subprocess.run(["true"]).returncode,
    "socket.bind": lambda trial: _connect(),
    "executed code": _import,
    "planted payload": lambda trial: eval(f"0 if {trial.payload} else 0"),
    "os.chmod": lambda trial: _chmod(trial.folder.parent),
    "left stray behind": lambda trial: _write(f"{os.environ['TMPDIR']}/stray"),
    "not done after": lambda trial: _hang(),
    "grew by": lambda trial: _eat(200),
    "the process died": lambda trial: os._exit(1),
}


def case(trial: Trial) -> None:
    """Let a command do what it must not."""
    from runner.commands import listing

    fault = list(FAULTS.values())[trial.number]

    def stand_in(arguments: Namespace, output: Output) -> int:
        return fault(trial)

    listing.run = stand_in
    trial.run("list")


CAMPAIGN = Campaign("planted", len(FAULTS), case, seconds=1, megabytes=100)
