"""An installed wheel works outside the checkout: recipes, schemas and embedded models travel in it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that holds what the wheel holds."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [*(sys.executable, "-m", "pip", "wheel", "--quiet"), "--no-deps", "--no-build-isolation", "-w", folder, ROOT],
        check=True,
    )
    (wheel,) = folder.glob("ovrun-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


def run(installed: Path, cwd: Path, *words: str) -> str:
    """ovrun from the wheel, in another folder."""
    done = subprocess.run(
        [sys.executable, "-m", "runner", *words],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(installed)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_built_in_recipes_work_from_the_wheel(installed: Path, tmp_path: Path) -> None:
    rows = json.loads(run(installed, tmp_path, "list", "--json"))
    assert {"dialogpt-mini-int4", "digits-int8", "nncf-legacy"} <= {row["name"] for row in rows}
    assert "valid" in run(installed, tmp_path, "validate", "--all")
    plan = json.loads(run(installed, tmp_path, "plan", "dialogpt-mini-int4", "--json"))
    assert Path(plan["file"]).is_relative_to(installed)


def test_a_whole_run_from_the_wheel(installed: Path, tmp_path: Path) -> None:
    document = json.loads(run(installed, tmp_path, "optimize", "digits-int8", "--json"))
    assert document["status"] == "published" and (tmp_path / document["path"] / "openvino_model.xml").is_file()


def test_own_recipes_come_first(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "recipes").mkdir()
    (tmp_path / "recipes" / "digits-int8.yaml").write_text(
        "description: mine\nmodel: {source: embedded, id: digits-cnn}\n"
    )
    rows = {row["name"]: row for row in json.loads(run(installed, tmp_path, "list", "--json"))}
    assert rows["digits-int8"]["description"] == "mine" and rows["digits-int8"]["recipe"] != "built in"


def test_the_wheel_holds_nothing_that_it_should_not(installed: Path) -> None:
    names = [path.relative_to(installed).as_posix() for path in installed.rglob("*") if path.is_file()]
    assert not [name for name in names if name.startswith(("tests", "bench", "outputs", "recipes", "schemas"))]
    assert "runner/_schemas/manifest.schema.json" in names and "runner/artifact/templates/model_card.md.j2" in names
    assert "runner/report/page/template.html" in names
