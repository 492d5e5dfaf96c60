"""What all tests share: the command line in a process of its own, and outputs folders."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from filelock import FileLock

from tests.outputs import manifest_of
from tests.processes import command

Ovrun = Callable[..., "subprocess.CompletedProcess[str]"]

os.environ["HF_HUB_OFFLINE"] = "1"


@pytest.fixture
def ovrun(tmp_path: Path) -> Ovrun:
    """Run ovrun in an empty folder; `code` is the exit code that is expected."""

    def run(*words: str | Path, code: int = 0, cwd: Path = tmp_path, **env: str) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            command(*words), cwd=cwd, env={**os.environ, **env}, capture_output=True, text=True, timeout=900
        )
        told = f"{done.stdout}\n{done.stderr}"
        assert done.returncode == code, f"exit code {done.returncode}, not {code}:\n{told}"
        assert "Traceback" not in told, told
        return done

    return run


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """One outputs folder for the whole test run, for finished things that tests only read."""
    base = tmp_path_factory.getbasetemp()
    if worker_id != "master":
        base = base.parent
    folder = base / "shared-outputs"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def published(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Optimize a built-in recipe once a test run, and give the folder of its version."""
    cwd = tmp_path_factory.mktemp("published")

    def publish(name: str, *overrides: str) -> Path:
        with FileLock(shared / f".{name}.lock"):
            done = subprocess.run(
                command("optimize", name, *overrides, "--outputs", shared, "--quiet"),
                cwd=cwd,
                capture_output=True,
                text=True,
            )
        assert done.returncode == 0, done.stderr
        return Path(done.stdout.strip())

    return publish


@pytest.fixture
def converted(shared: Path, published: Callable[..., Path], tmp_path: Path) -> Callable[[str], Path]:
    """Give the test an outputs folder of its own, whose store has the conversion of a built-in recipe and no more."""

    def copy(name: str) -> Path:
        (key,) = [stage["key"] for stage in manifest_of(published(name))["stages"] if stage["stage"] == "convert"]
        entry = Path(".store", "entries", key[:2], key)
        shutil.copytree(shared / entry, tmp_path / "outputs" / entry)
        return tmp_path / "outputs"

    return copy


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Callable[[int], Path]]:
    """A function that makes a file system of so many MB; skips where mounting is not allowed."""
    mounted: list[Path] = []

    def mount(megabytes: int, options: str = "rw") -> Path:
        folder = tmp_path / "disk"
        folder.mkdir(exist_ok=True)
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,{options}", "tmpfs", str(folder)], capture_output=True
        )
        if done.returncode != 0:
            pytest.skip("mounting a small file system needs root")
        mounted.append(folder)
        return folder

    yield mount
    for folder in mounted:
        subprocess.run(["umount", "-l", str(folder)], check=True)
