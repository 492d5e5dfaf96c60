"""Text leaves by one place, and what the machine refuses is told without a traceback."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from runner import commands

ROOT = Path(commands.__file__).parents[1]


@pytest.mark.parametrize(
    ("failure", "told"),
    [
        ("OSError(28, 'No space left on device', '/x/\\x1b[2J')", "error: /x/\\x1b[2J: No space left on device"),
        ("PermissionError(13, 'Permission denied', b'/x')", "error: /x: Permission denied"),
        ("MemoryError()", "error: memory ran out"),
    ],
)
def test_what_the_machine_refuses_is_no_mistake_of_ovrun(
    failure: str, told: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from runner.cli import main
    from runner.commands import listing

    def fail(arguments: object, output: object) -> int:
        raise eval(failure)

    monkeypatch.setattr(listing, "run", fail)
    assert main(["list"]) == 5
    assert capsys.readouterr().err.startswith(told)


def calls(path: Path) -> Iterator[tuple[int, str]]:
    """What a module calls, by line; standard streams count as calls of their own."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            yield node.lineno, ast.unparse(node.func)
        elif isinstance(node, ast.Attribute) and ast.unparse(node) in ("sys.stdout", "sys.stderr", "sys.__stdout__"):
            yield node.lineno, ast.unparse(node)


ALLOWED = {
    "base/streams.py": {"print", "sys.stdout", "sys.stderr"},
    "report/output.py": {"sys.stdout"},  # whether it is a terminal
    "report/console.py": {"sys.stdout"},  # for the one console
    "engine/child.py": {"sys.stdout", "sys.stderr"},  # flushed; they are the log
    "metrics/predicting/apart.py": {"sys.stderr"},  # flushed; it is the log
    "cli.py": set(),
}


def test_text_leaves_by_one_place() -> None:
    watched = {"print", "sys.stdout", "sys.stderr", "sys.__stdout__", "Console", "rich.print", "pprint"}
    found = {
        f"{place}:{line} {call}"
        for path in ROOT.rglob("*.py")
        if not (place := path.relative_to(ROOT).as_posix()).startswith("embedded/train/")
        for line, call in calls(path)
        if call in watched and call not in ALLOWED.get(place, set())
    }
    assert found == set()
