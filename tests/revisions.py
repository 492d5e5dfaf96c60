"""What has a revision, and a digest of the code that its output follows from; as a program it notes the digests."""

from __future__ import annotations

import ast
import hashlib
import json
import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from runner import stages
from runner.registry.exporters import EXPORTERS
from runner.registry.metrics import FAMILIES
from runner.registry.predicting import OF_ARRAYS
from runner.registry.tasks import TASKS

ROOT = Path(__file__).parents[1]
KEPT = ROOT / "tests" / "revisions.json"
WITHOUT_EFFECT = ("runner.errors", "runner.registry", "runner.recipe", "runner.base", "runner.stages")
"""Words and declarations: what they hold that shapes an output is in the key itself. A stage itself counts."""


def subjects() -> dict[str, tuple[str, int]]:
    """What has a revision -> the module that it is of, and the revision."""
    found = {f"stage {name}": (module, stages.module(name).REVISION) for name, module in stages.STAGES.items()}
    ours = {f"metrics {one.name}": (one.module, one.revision) for one in FAMILIES.values() if not one.distribution}
    exporters = {
        f"exporter {one.name}": (one.module, one.revision) for one in EXPORTERS.values() if not one.distribution
    }
    tasks = {
        f"task {one.name}": (getattr(one.use, "func", one.use).__module__, one.revision)
        for one in TASKS.values()
        if not one.distribution
    }
    predicting = {
        f"predicting {predicts.gives} of {task.name}": (predicts.module, predicts.revision)
        for task in TASKS.values()
        for predicts in task.predicts
        if not task.distribution
    }
    arrays = {f"predicting {one.gives} of arrays given": (one.module, one.revision) for one in OF_ARRAYS}
    return found | ours | exporters | tasks | predicting | arrays


@cache
def file_of(module: str) -> Path | None:
    path = ROOT / module.replace(".", "/")
    return next((one for one in (path.with_suffix(".py"), path / "__init__.py") if one.is_file()), None)


def imported(path: Path) -> Iterator[str]:
    """Our modules that a module imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        for name in names:
            if name.startswith("runner."):
                yield name if file_of(name) else name.rpartition(".")[0]


def closure(module: str) -> set[str]:
    """The module and all of ours that it imports, directly or not, those without effect left out."""
    found, waiting = set(), [module]
    while waiting:
        one = waiting.pop()
        path = file_of(one)
        if one in found or path is None or (one != module and one.startswith(WITHOUT_EFFECT)):
            continue
        found.add(one)
        waiting += imported(path)
    return found


def digest(module: str) -> str:
    """SHA-256 over what the modules do: their syntax trees, without docstrings, comments and layout."""
    total = hashlib.sha256()
    for one in sorted(closure(module)):
        path = file_of(one)
        assert path is not None
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node) is not None:
                node.body = node.body[1:] or [ast.Pass()]
        total.update(f"{one}\n{ast.unparse(tree)}\n".encode())
    return total.hexdigest()[:16]


if __name__ == "__main__":
    made = {name: {"revision": revision, "code": digest(module)} for name, (module, revision) in subjects().items()}
    KEPT.write_text(json.dumps(made, indent=2) + os.linesep, encoding="utf-8")
