"""Single NumPy arrays: the array NAME is the file NAME.npy, and others may lie beside it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING

from runner.data.arrays import ArrayReader, Container, names_of
from runner.data.npy import Header, read_header
from runner.data.npz import DAMAGE, whole
from runner.data.opening import open_file, open_path
from runner.errors import SourceError

if TYPE_CHECKING:
    from runner.recipe.types import Dataset

_SUFFIX = ".npy"


class _Folder:
    """The arrays of a dataset's folder."""

    def __init__(self, dataset: Dataset) -> None:
        self.dataset = dataset

    def names(self) -> list[str]:
        return sorted(path.stem for path in self.dataset.path.parent.glob(f"*{_SUFFIX}"))

    def header(self, name: str) -> Header:
        with self.open(name) as file:
            return whole(read_header(file, name), name, path_of(self.dataset, name).stat().st_size)

    def open(self, name: str) -> IO[bytes]:
        return open_path(self.dataset, path_of(self.dataset, name))

    def check_rest(self, file: IO[bytes]) -> None:
        """Nothing is known of the rest."""


def path_of(dataset: Dataset, name: str) -> Path:
    """The file of an array."""
    return dataset.path.parent / f"{name}{_SUFFIX}"


def files(dataset: Dataset) -> list[Path]:
    """The file of each array in use."""
    return [path_of(dataset, name) for name in names_of(dataset)]


@contextmanager
def _opened(dataset: Dataset) -> Iterator[Container]:
    open_file(dataset).close()
    try:
        yield _Folder(dataset)
    except DAMAGE as error:
        message = f"dataset {dataset.name}: {dataset.path} is not a readable npy file: {error}"
        raise SourceError(message) from error


_READER = ArrayReader(_opened)
check, read_arrays, records = _READER.check, _READER.read_arrays, _READER.records
array_headers, digest = _READER.array_headers, _READER.digest
contents, count = _READER.contents, _READER.count
