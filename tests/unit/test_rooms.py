"""The rooms of the project: arrows between them run one way, and each stays small enough to be read."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

RUNNER = Path(__file__).parents[2] / "runner"

ORDER = (
    ("errors",),
    ("base", "embedded"),
    ("registry",),
    ("recipe",),
    ("model",),
    ("importers",),
    ("sources", "data"),
    ("export", "metrics", "tasks"),
    ("nncf",),
    ("stages", "store"),
    ("plan",),
    ("engine",),
    ("artifact",),
    ("run",),
    ("report",),
    ("api",),
    ("commands",),
    ("cli",),
    ("__main__",),
)
"""From the ground up: a room imports of those before it, and of none beside or after it."""
FLOOR = {room: floor for floor, rooms in enumerate(ORDER) for room in rooms}
MOST_LINES, MOST_FILES = 300, 8
MOST_ANY = 277
"""How often `Any` stands in the code: to be lowered only. runner/base/values.py has what to write instead."""


def modules() -> list[Path]:
    """All modules that have a room; `runner/__init__.py` holds the version alone."""
    return sorted(path for path in RUNNER.rglob("*.py") if path != RUNNER / "__init__.py" and "train" not in path.parts)


def room_of(path: Path) -> str:
    return path.relative_to(RUNNER).with_suffix("").parts[0]


def imported(path: Path) -> Iterator[tuple[int, str]]:
    """Line and room of each import of ours, wherever it stands, those for types alone too."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            parts = name.split(".")
            if parts[0] == "runner" and len(parts) > 1 and parts[1] != "__version__":
                yield node.lineno, parts[1]


def test_every_room_has_its_floor() -> None:
    rooms = {room_of(path) for path in modules()}
    assert rooms == set(FLOOR)


@pytest.mark.parametrize("room", FLOOR)
def test_a_room_imports_only_of_those_below_it(room: str) -> None:
    wrong = [
        f"{path.relative_to(RUNNER)}:{line} imports runner.{other}"
        for path in modules()
        if room_of(path) == room
        for line, other in imported(path)
        if other != room and FLOOR[other] >= FLOOR[room]
    ]
    assert not wrong, "\n".join(wrong)


def test_only_one_module_imports_hydra() -> None:
    users = [
        path.relative_to(RUNNER).as_posix()
        for path in modules()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in ([alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""])
        if name.split(".")[0] in ("hydra", "omegaconf")
    ]
    assert set(users) == {"recipe/compose/hydra.py"}


def test_no_module_is_longer_than_a_few_screens_and_the_top_is_short() -> None:
    long = [path for path in modules() if len(path.read_text(encoding="utf-8").splitlines()) > MOST_LINES]
    assert not long
    assert len(list(RUNNER.glob("*.py"))) <= MOST_FILES


def test_values_of_any_type_only_become_fewer() -> None:
    count = sum(len(re.findall(r"\bAny\b", path.read_text(encoding="utf-8"))) for path in RUNNER.rglob("*.py"))
    assert count <= MOST_ANY
