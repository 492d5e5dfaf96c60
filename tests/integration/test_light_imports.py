"""What answers at once imports nothing heavy: help, commands that only look, declarations, the Python API."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from runner.recipe.types import Dataset, Preprocess
from tests.processes import HEAVY, imported_by
from tests.reports import manifest, sweep, write

REGISTRIES = ("metrics.FAMILIES", "formats.FORMATS", "sources.SOURCES", "exporters.EXPORTERS", "tasks.TASKS")
MAIN = "from runner.cli import main\n"


LOOKS = [["list"], *([word, name] for word in ("validate", "plan") for name in ("dialogpt-mini-int4", "digits-int8"))]


@pytest.mark.parametrize("words", LOOKS, ids=" ".join)
def test_commands_that_only_look_import_nothing_heavy(words: list[str], tmp_path: Path) -> None:
    """Nor NumPy, also where labels that are arrays could be held against the model's classes."""
    assert not imported_by(f"{MAIN}assert main({words!r}) == 0", tmp_path) & {*HEAVY, "numpy"}


def test_help_imports_next_to_nothing(tmp_path: Path) -> None:
    loaded = imported_by("from runner.cli import build_parser\nbuild_parser().format_help()", tmp_path)
    assert not loaded & {*HEAVY, "hydra", "jsonschema", "rich", "yaml", "numpy", "jinja2"}


def test_explain_imports_nothing_heavy(tmp_path: Path) -> None:
    loaded = imported_by(f"{MAIN}assert main(['explain', 'seed']) == 0", tmp_path)
    assert not loaded & {*HEAVY, "hydra", "rich", "numpy"}


def test_reports_import_nothing_heavy(tmp_path: Path) -> None:
    sweep(tmp_path, "grid")
    write(tmp_path, manifest("single", size=4_000_000))
    commands = (["report"], ["compare", "single", "single/1"])
    code = MAIN + "\n".join(f"assert main({[*words, '--outputs', str(tmp_path)]}) == 0" for words in commands)
    assert not imported_by(code, tmp_path) & {*HEAVY, "hydra", "numpy", "dask"}


def test_recipe_imports_nothing_heavy(tmp_path: Path) -> None:
    assert not imported_by("import runner.recipe", tmp_path) & {"hydra", "omegaconf", "jsonschema", "yaml"}
    code = "import runner.recipe\nrunner.recipe.load_recipe('dialogpt-mini-ptq', ['seed=1'])"
    assert not imported_by(code, tmp_path) & {*HEAVY, "numpy", "rich"}


def test_importing_the_api_imports_nothing_heavy(tmp_path: Path) -> None:
    loaded = imported_by("from runner import api", tmp_path)
    assert not loaded & {*HEAVY, "numpy", "hydra", "rich", "distributed"}


@pytest.mark.parametrize(
    "registry", ["metrics.FAMILIES", "formats.FORMATS", "sources.SOURCES", "exporters.EXPORTERS", "tasks.TASKS"]
)
def test_declarations_import_nothing_heavy(registry: str, tmp_path: Path) -> None:
    module, _, name = registry.partition(".")
    loaded = imported_by(f"from runner.registry.{module} import {name}\nassert [*{name}.values()]", tmp_path)
    assert not loaded & {*HEAVY, "numpy", "jsonschema", "importlib.metadata"}


def test_the_declarations_of_patches_import_nothing_heavy(tmp_path: Path) -> None:
    assert not imported_by("import runner.report.patches_page", tmp_path) & set(HEAVY)


def test_checks_and_digests_import_no_numpy(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("one")
    (tmp_path / "a.jsonl").write_text('{"text": "one"}')
    np.savez(tmp_path / "a.npz", images=np.zeros((4, 2, 2, 3), np.uint8), y=np.arange(4))
    datasets = [
        Dataset("d", "file", tmp_path / "a.txt", "txt"),
        Dataset("d", "file", tmp_path / "a.jsonl", "jsonl", columns={"text": "text"}),
        Dataset(
            *("d", "file", tmp_path / "a.npz", "npz"),
            inputs={"": "images"},
            columns={"label": "y"},
            preprocess=Preprocess(std=(2,)),
        ),
    ]
    code = (
        "from pathlib import *; from runner import data, metrics; from runner.metrics import gates\n"
        "from runner.recipe.types import Dataset, Preprocess\n"
        f"for dataset in {datasets!r}: data.check(dataset); data.digest(dataset)"
    )
    assert not imported_by(code, tmp_path) & {"numpy", "openvino"}
