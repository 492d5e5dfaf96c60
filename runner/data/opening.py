"""Opens a dataset's file: only a regular file is read."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, BinaryIO

from runner.base.documents import open_regular
from runner.errors import SourceError

if TYPE_CHECKING:
    from pathlib import Path

    from runner.recipe.types import Dataset

_SAID = {errno.ENOENT: "no such file", errno.EISDIR: "is a folder, not a file"}


def open_file(dataset: Dataset) -> BinaryIO:
    """The open file.

    Raises:
        SourceError: there is none, it can't be read, or it is a pipe, a device or another thing that is no file.
    """
    return open_path(dataset, dataset.path)


def open_path(dataset: Dataset, path: Path) -> BinaryIO:
    """The same of any file of a dataset."""
    try:
        return open_regular(path)
    except (OSError, ValueError) as error:
        said = _SAID.get(getattr(error, "errno", 0) or 0) or getattr(error, "strerror", None) or error
        message = f"dataset {dataset.name}: {path}: {said}"
        raise SourceError(message, hint="Paths in a recipe are relative to the file that states them.") from error
