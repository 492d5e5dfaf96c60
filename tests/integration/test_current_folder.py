"""Python files in the current folder are data: no process of a run imports one, whatever it is called."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Ovrun

MODULES = (
    *("torch", "random", "numpy", "json", "openvino", "dask", "distributed", "nncf", "transformers", "optimum"),
    *("sitecustomize", "usercustomize", "openvino_telemetry", "yaml", "jsonschema", "pickle", "tempfile", "secrets"),
    *("filelock", "psutil", "cryptography", "ssl", "multiprocessing", "selectors", "hydra_plugins/trap", "tokenizers"),
)
PACKAGES = ("runner", "runner/engine", "hydra_plugins", "recipes_are_data")
SWEEP = "digits-int8"


@pytest.fixture
def trapped(tmp_path: Path) -> Path:
    """A folder full of modules that tell when they are run."""
    folder = tmp_path / "here"
    trap = f"import os\nopen({str(tmp_path / 'sprung')!r}, 'a').write(__file__ + chr(10))\nraise SystemExit(7)\n"
    for name in PACKAGES:
        (folder / name).mkdir(parents=True)
        (folder / name / "__init__.py").write_text(trap)
    for name in MODULES:
        (folder / f"{name}.py").write_text(trap)
    return folder


def sprung(folder: Path) -> str:
    """The traps that were run."""
    path = folder.parent / "sprung"
    return path.read_text() if path.exists() else ""


def script() -> Path:
    """The console script that is installed beside this Python."""
    return Path(sys.executable).with_name("ovrun")


@pytest.mark.parametrize(
    "environment",
    [{}, {"PYTHONPATH": os.pathsep + "/nowhere"}, {"PYTHONPATH": f"/nowhere{os.pathsep}."}],
    ids=["plain", "an empty part in PYTHONPATH", "a dot in PYTHONPATH"],
)
def test_stages_import_nothing_from_the_current_folder(trapped: Path, environment: dict[str, str]) -> None:
    entry = "import sys; from runner.__main__ import main; sys.exit(main())"  # what the console script does
    command = [sys.executable, "-P", "-c", entry, "optimize", "digits-int8", "--json"]
    if environment:  # then Python itself looks there before the first line of ovrun
        for name in ("sitecustomize.py", "usercustomize.py"):
            (trapped / name).unlink()
        shutil.rmtree(trapped / "runner")
    done = subprocess.run(command, cwd=trapped, env={**os.environ, **environment}, capture_output=True, text=True)
    assert not sprung(trapped)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["status"] == "published"


def test_a_sweep_on_workers_imports_nothing_from_the_current_folder(trapped: Path) -> None:
    assert script().exists(), "ovrun is not installed"
    words = ["sweep", SWEEP, "compression.subset_size=10,20", "--jobs", "2", "--quiet"]
    done = subprocess.run([script(), *words], cwd=trapped, capture_output=True, text=True)
    assert not sprung(trapped)
    assert done.returncode == 0, done.stderr
    assert not (trapped / "dask-scratch-space").exists()


def test_the_module_runs_beside_files_named_like_libraries(trapped: Path) -> None:
    """`python -m runner` looks for `runner` itself in the current folder; of all else nothing comes from there."""
    shutil.rmtree(trapped / "runner")
    done = subprocess.run([sys.executable, "-m", "runner", "list"], cwd=trapped, capture_output=True, text=True)
    assert not sprung(trapped)
    assert done.returncode == 0, done.stderr


def test_the_current_folder_may_be_the_projects_own(ovrun: Ovrun, tmp_path: Path) -> None:
    root = Path(__file__).parents[2]
    ovrun("optimize", "digits-int8", "--outputs", tmp_path / "outputs", "--quiet", cwd=root)
    assert (tmp_path / "outputs" / "digits-int8" / "1" / "openvino_model.bin").is_file()


def test_jobs_of_slurm_start_python_without_the_current_folder(tmp_path: Path) -> None:
    from runner.engine import slurm

    arguments = slurm.cluster_arguments({"cores": 1, "memory": "1GB", "python": "/shared/python"}, tmp_path)
    assert arguments["python"] == "/shared/python -P"
    assert "export PYTHONSAFEPATH=1" in arguments["job_script_prologue"]


@pytest.mark.newest
def test_the_users_variables_of_python_change_no_stage(
    ovrun: Ovrun, tmp_path: Path, published: Callable[..., Path]
) -> None:
    """Transformers reads docstrings, which -OO takes away; a warning of any library may not become an error."""
    odd = {"PYTHONOPTIMIZE": "2", "PYTHONWARNINGS": "error", "PYTHONDEVMODE": "1", "PYTHONPROFILEIMPORTTIME": "1"}
    ovrun("optimize", "digits-int8", "--outputs", tmp_path / "outputs", "--quiet", **odd)
    for name in ("openvino_model.xml", "openvino_model.bin"):
        made = tmp_path / "outputs" / "digits-int8" / "1" / name
        assert made.read_bytes() == (published("digits-int8") / name).read_bytes()
