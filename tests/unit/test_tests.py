"""The rooms of the tests: helpers lie beside them and not in them, and what is under unit/ starts no process."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
MODULES = sorted(path.relative_to(TESTS).as_posix() for path in TESTS.rglob("*.py"))
UNIT = [name for name in MODULES if name.startswith("unit/test_")]
STARTING = ("subprocess", "multiprocessing", "concurrent.futures.process", "pty", "tests.processes")


def tree(name: str) -> ast.Module:
    return ast.parse((TESTS / name).read_text(encoding="utf-8"))


def imported(name: str) -> Iterator[str]:
    """Whole names of what a module imports, wherever in it."""
    for node in ast.walk(tree(name)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("name", MODULES)
def test_nobody_imports_a_test_module(name: str) -> None:
    """Scripts that a test hands to another process count too."""
    own = f"tests.{name.removesuffix('.py').replace('/', '.')}"
    texts = [str(node.value) for node in ast.walk(tree(name)) if isinstance(node, ast.Constant)]
    named = {found for text in texts for found in re.findall(r"\btests(?:\.\w+)*\.test_\w+", text)}
    assert not [one for one in imported(name) if re.match(r"(tests\.(\w+\.)*)?test_\w+", one)]
    assert named <= {own}, "a module may start itself, and no other"


@pytest.mark.parametrize("name", UNIT)
def test_a_unit_test_has_nothing_to_start_a_process_with(name: str) -> None:
    used = {ast.unparse(node) for node in ast.walk(tree(name)) if isinstance(node, ast.Attribute)}
    assert not [one for one in imported(name) if any(f"{one}.".startswith(f"{room}.") for room in STARTING)]
    assert not [one for one in used if re.match(r"os\.(fork|forkpty|posix_spawn|spawn|exec|system|popen)", one)]


def test_a_unit_test_that_starts_a_process_all_the_same_is_heard(no_process_is_started: list[str]) -> None:
    sys.audit("os.system", b"")
    assert [one.split()[0] for one in no_process_is_started] == ["os.system"]
    no_process_is_started.clear()
