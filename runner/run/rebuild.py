"""A virtual environment with the exact versions that a manifest names, and `ovrun reproduce` run in it."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import runner
from runner.base import resources
from runner.errors import StageError

if TYPE_CHECKING:
    from runner.artifact.types import Manifest

_PACKED = ("__pycache__", "_recipes", "_schemas")


def requirements(manifest: Manifest) -> list[str]:
    """A line a distribution. A local suffix such as `+cpu` is left to the index that pip reads, which may have another.

    Raises:
        StageError: a name or a version has no form that pip takes.
    """
    lines = []
    for name, version in sorted((manifest.get("environment", {}) | manifest["libraries"]).items()):
        if version == "absent":
            continue
        if not re.fullmatch(r"[A-Za-z0-9][\w.-]*", name, re.ASCII) or not re.fullmatch(r"[\w.+!-]+", version, re.ASCII):
            message = f"the manifest names the library {name!r} in version {version!r}, which is no such name"
            raise StageError(message)
        lines.append(f"{name}=={version.partition('+')[0]}")
    return lines


def build(folder: Path, manifest: Manifest, log: Path) -> Path:
    """Make the environment, install the versions and this ovrun's own source, and give its Python.

    pip's own settings (PIP_INDEX_URL, pip.conf …) count.

    Raises:
        StageError: a version can't be had, or something else fails; the log says more.
    """
    wanted = folder / "requirements.txt"
    folder.mkdir(parents=True, exist_ok=True)
    wanted.write_text("\n".join(requirements(manifest)) + "\n", encoding="utf-8")
    python = folder / "venv" / "bin" / "python"
    complete = ["--no-deps"] if "environment" in manifest else []
    _run([sys.executable, "-m", "venv", str(folder / "venv")], log, "the virtual environment can't be made")
    install = [str(python), "-m", "pip", "install", "--disable-pip-version-check", *complete, "-r", str(wanted)]
    _run(install, log, "pip can't install the versions of the manifest")
    _copy_source(python)
    return python


def _copy_source(python: Path) -> None:
    """Put this ovrun beside the libraries, as its wheel would."""
    (packages,) = python.parent.parent.glob("lib/python*/site-packages")
    target = packages / "runner"
    shutil.copytree(Path(runner.__file__).parent, target, ignore=shutil.ignore_patterns(*_PACKED))
    for name, source in (("_recipes", resources.recipes_dir()), ("_schemas", resources.schemas_dir())):
        shutil.copytree(source, target / name)


def run(python: Path, words: Sequence[str], log: Path) -> tuple[int, dict[str, Any]]:
    """`ovrun reproduce` in the environment: its exit code, and its answer.

    Raises:
        StageError: it gave none.
    """
    done = subprocess.run(
        [str(python), "-P", "-m", "runner", "reproduce", *words, "--json"],
        env=_environment(),
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    try:
        document = json.loads(done.stdout)
    except ValueError as error:
        message = f"ovrun ended with exit code {done.returncode} in the virtual environment, without an answer"
        wrong = StageError(message)
        wrong.log = log
        raise wrong from error
    return done.returncode, document


def _environment() -> dict[str, str]:
    """The user's own, without what would lead Python to other libraries."""
    return {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME")}


def _run(command: Sequence[str], log: Path, wrong: str) -> None:
    with log.open("ab") as stream:
        done = subprocess.run(command, env=_environment(), stdout=stream, stderr=stream, check=False)
    if done.returncode != 0:
        lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        told = next((line for line in reversed(lines) if line.lower().startswith("error")), lines[-1] if lines else "")
        error = StageError(
            f"{wrong}: {told}", hint="It may need another Python: the manifest's `hardware` names its own."
        )
        error.log = log
        raise error
