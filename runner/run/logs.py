"""Where a run's stages write what their libraries say: one file for a recipe, a folder for a sweep."""

from __future__ import annotations

import os
import time
from pathlib import Path

import runner.base.files as fs
from runner.store import cannot_write


def new_log(outputs: Path, name: str) -> Path:
    """An empty log file for a run of a recipe.

    Raises:
        StageError: outputs can't be written.
    """
    path = _place(outputs, name).with_suffix(".log")
    try:
        fs.own_file(path).touch()
    except OSError as error:
        raise cannot_write(outputs, error) from error
    return path.resolve()


def new_logs(outputs: Path, name: str) -> Path:
    """An empty folder for the logs of a sweep.

    Raises:
        StageError: outputs can't be written.
    """
    path = _place(outputs, name)
    try:
        path.mkdir()
    except OSError as error:
        raise cannot_write(outputs, error) from error
    return path.resolve()


def _place(outputs: Path, name: str) -> Path:
    try:
        folder = fs.own_folder(outputs, ".logs", name)
    except OSError as error:
        raise cannot_write(outputs, error) from error
    return folder / f"{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}"
