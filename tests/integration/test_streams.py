"""Closed, full, vanished and narrow-minded standard streams; odd environments; interrupts at any time."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from runner import commands

ROOT = Path(commands.__file__).parents[1]
DIALOGUE = "名前 \u202e \udcff é ✓"


def shell(script: str, cwd: Path, **env: str) -> subprocess.CompletedProcess[str]:
    """Run a line of bash in which `ovrun` is ovrun; an empty variable is taken out of the environment."""
    whole = {name: value for name, value in {**os.environ, **env}.items() if value or name not in env}
    prelude = f'ovrun() {{ "{sys.executable}" -m runner "$@"; }}; set -o pipefail\n'
    done = subprocess.run(
        ["bash", "-c", prelude + script], cwd=cwd, env=whole, capture_output=True, text=True, timeout=300
    )
    assert "Traceback" not in done.stdout + done.stderr and "Exception ignored" not in done.stderr, done.stderr
    return done


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a recipe whose description not every terminal can show."""
    (tmp_path / "recipes").mkdir()
    text = 'description: "näme \\u540d\\u524d \\u202e \\u2713"\ndefaults: [{model: dialogpt-mini}, _self_]\n'
    (tmp_path / "recipes" / "named.yaml").write_text(text)
    return tmp_path


@pytest.mark.parametrize(
    ("script", "code", "told"),
    [
        ("ovrun explain | true", 0, ""),
        ("ovrun list --json | head -1", 0, ""),
        ("ovrun --help | true", 0, ""),
        ("ovrun validate nothing --json | true", 2, "error: command line: nothing: no such recipe"),
        ("ovrun list >&-", 0, ""),
        ("ovrun list --json >&- 2>&- <&-", 0, ""),
        ("ovrun validate nothing >&-", 2, "error: command line: nothing"),
        ("ovrun validate nothing 2>&-", 2, ""),
        ("ovrun list > /dev/full", 5, "error: standard output can't be written: No space left on device\n"),
        ("ovrun list --json > /dev/full", 5, "error: standard output can't be written"),
        ("ovrun validate nothing > /dev/full", 2, "error: command line: nothing"),
        ("ovrun validate nothing 2> /dev/full", 2, ""),
        ("ovrun validate nothing > /dev/full 2>&1", 2, ""),
        ("ovrun list < /dev/null > /dev/null", 0, ""),
    ],
)
def test_streams_that_fail(script: str, code: int, told: str, folder: Path) -> None:
    done = shell(script, folder)
    assert done.returncode == code, done.stderr
    assert done.stderr.startswith(told) and bool(done.stderr) == bool(told)


IMPORT = "import optimum-cli export openvino -m gpt2 --task fill-mask out"


@pytest.mark.parametrize("words", ["plan named", "explain --json", "gc --dry-run", "report", "verify --store", IMPORT])
def test_every_command_bears_streams_that_are_full(words: str, folder: Path) -> None:
    (folder / "outputs").mkdir()
    full = shell(f"ovrun {words} > /dev/full", folder)
    assert full.returncode == 5 and "standard output can't be written: No space left" in full.stderr
    assert shell(f"ovrun {words} > /dev/full 2>&1", folder).returncode == 5


def test_a_reader_that_went_away_does_not_stop_the_work(folder: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "runner", "validate", "--all"]
    done = subprocess.run(command, cwd=folder, stdout=writing, stderr=subprocess.PIPE, text=True)
    os.close(writing)
    assert done.returncode == 0 and done.stderr == ""


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252", "utf-8", "utf-16"])
def test_every_encoding_gets_the_text(encoding: str, folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "runner", "list"],
        cwd=folder,
        env={**os.environ, "PYTHONIOENCODING": encoding},
        capture_output=True,
    )
    assert done.returncode == 0 and done.stderr == b""
    (line,) = (line for line in done.stdout.decode(encoding).splitlines() if line.startswith("named"))
    assert "\\u202e" in line and "\u202e" not in line
    assert line.endswith("✓" if encoding.startswith("utf") else " +")
    assert ("näme" if encoding != "ascii" else "n\\xe4me") in line


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_json_is_json_in_every_encoding(encoding: str, folder: Path) -> None:
    (folder / "recipes" / os.fsdecode(b"bytes-\xff.yaml")).write_text("description: x\n")
    done = subprocess.run(
        [sys.executable, "-m", "runner", "list", "--json"],
        cwd=folder,
        env={**os.environ, "PYTHONIOENCODING": encoding},
        capture_output=True,
    )
    assert done.returncode == 0, done.stderr
    rows = {row["name"]: row for row in json.loads(done.stdout.decode("utf-8"))}
    assert rows["named"]["description"] == "näme 名前 \u202e ✓" and "bytes-\udcff" in rows
    assert "\u202e" not in done.stdout.decode("utf-8")


@pytest.mark.parametrize(
    "environment",
    [
        {"COLUMNS": "²"},
        {"COLUMNS": "0"},
        {"COLUMNS": "1"},
        {"COLUMNS": "-7"},
        {"COLUMNS": "x"},
        {"COLUMNS": "9" * 30, "LINES": "no"},
        {"TERM": "dumb"},
        {"TERM": "", "HOME": ""},
        {"NO_COLOR": "1", "FORCE_COLOR": "1"},
        {"LANG": "C", "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        {"HOME": "/nowhere", "TMPDIR": "/nowhere"},
    ],
    ids=str,
)
def test_odd_environments(environment: dict[str, str], folder: Path) -> None:
    for words in ("list", "explain compression.ratio", "--help", "plan dialogpt-mini-int4"):
        assert shell(f"ovrun {words}", folder, **environment).returncode == 0


def test_a_current_folder_that_is_gone_is_told(tmp_path: Path) -> None:
    done = shell("mkdir gone; cd gone; rmdir ../gone; ovrun list", tmp_path, PYTHONPATH=str(ROOT.parent))
    assert done.returncode == 2 and "the current folder is not there" in done.stderr


def test_a_mistake_of_ovrun_without_a_place_for_its_story(tmp_path: Path) -> None:
    script = """
import sys, tempfile
from runner.commands import listing
listing.run = lambda arguments, output: 1 // 0
tempfile.tempdir = "/nowhere"
from runner.cli import main
sys.exit(main(["list"]))"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 5 and "this is a mistake in ovrun itself: ZeroDivisionError" in done.stderr
    assert "please report it with this:\n  Traceback" in done.stderr


INTERRUPTS = """
import builtins, os, sys
sys.argv = ["ovrun", "validate", "dialogpt-mini-int4"]
real = builtins.__import__
def count_down(*words, **more):
    global left
    left -= 1
    if left == 0:
        raise KeyboardInterrupt
    return real(*words, **more)
step, codes = 1, []
while not codes or codes[-1] == 130:
    pid = os.fork()
    if pid == 0:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        from runner.cli import script
        left = step
        builtins.__import__ = count_down
        code = 99
        try:
            code = script()
        finally:
            sys.stderr.flush()
            os._exit(code)
    codes.append(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
    step = step + 1 if step < 40 else int(step * 1.3)
print(len(codes), set(codes[:-1]), codes[-1])
"""


def test_an_interrupt_during_any_import_is_130(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", INTERRUPTS], cwd=tmp_path, capture_output=True, text=True)
    count, rest = done.stdout.split(maxsplit=1)
    assert int(count) > 40 and rest.strip() == "{130} 0", done.stdout + done.stderr
    assert "Traceback" not in done.stderr
