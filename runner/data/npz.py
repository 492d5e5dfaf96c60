"""NumPy archives: named arrays whose first axis counts the items; pickled objects are never read.

The checks read the arrays' headers alone, without numpy; the reader takes no more than the first `limit` items.
"""

from __future__ import annotations

import ast
import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any

from runner.data.words import missing
from runner.errors import SourceError

if TYPE_CHECKING:
    import numpy as np

    from runner.recipe.types import Dataset, Preprocess

_DAMAGE = (zipfile.BadZipFile, zlib.error, struct.error, OSError, ValueError, SyntaxError, KeyError, EOFError)

_BLOCK = 1 << 20


@dataclass(frozen=True)
class Header:
    """An array as its header tells: NumPy's type string and the shape."""

    dtype: str
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Arrays:
    """Arrays of one length: model input name -> [items, …] as stored, and labels [items] or None.

    The input name "" stands for the model's only input.
    """

    inputs: Mapping[str, np.ndarray[Any, Any]]
    labels: np.ndarray[Any, Any] | None
    preprocess: Preprocess | None

    def __len__(self) -> int:
        return len(next(iter(self.inputs.values())))

    def batch(self, start: int, stop: int) -> dict[str, np.ndarray[Any, Any]]:
        """Items start … stop - 1 of each input, preprocessed."""
        from runner.data.preprocess import apply

        return {name: apply(array[start:stop], self.preprocess) for name, array in self.inputs.items()}

    def take(self, start: int, stop: int) -> Arrays:
        """Items start … stop - 1 as arrays of their own; fewer at the end."""
        inputs = {name: array[start:stop] for name, array in self.inputs.items()}
        return Arrays(inputs, None if self.labels is None else self.labels[start:stop], self.preprocess)


def check(dataset: Dataset) -> None:
    """Read the headers of the arrays that the dataset names.

    Raises:
        SourceError: not an npz file, no such array, pickled objects, no items, lengths that differ, or values of
            mean or std that don't match the channels.
    """
    headers = _headers(dataset)
    for name, header in headers.items():
        if "O" in header.dtype:
            message = f'dataset {dataset.name}: {dataset.path}: array "{name}" holds pickled objects'
            raise SourceError(message, hint="Save it as numbers: a pickle can run any code when it is read.")
        if not header.shape or not header.shape[0]:
            message = f'dataset {dataset.name}: {dataset.path}: array "{name}" has no items (shape {header.shape})'
            raise SourceError(message)
    if len({header.shape[0] for header in headers.values()}) > 1:
        told = ", ".join(f"{name} has {header.shape[0]}" for name, header in headers.items())
        message = f"dataset {dataset.name}: {dataset.path}: the arrays differ in length: {told}"
        raise SourceError(message)
    _check_labels(dataset, headers)
    _check_channels(dataset, headers)


def read_arrays(dataset: Dataset) -> Arrays:
    """The first `limit` items of the arrays that the dataset names.

    Raises:
        SourceError: as `check`, or the archive's data are damaged.
    """
    check(dataset)
    with _archive(dataset) as archive:
        arrays = {name: _array(archive, name, dataset.limit) for name in _names(dataset)}
    labels = arrays[dataset.labels].reshape(-1) if dataset.labels else None
    return Arrays({key: arrays[name] for key, name in dataset.inputs.items()}, labels, dataset.preprocess)


def _names(dataset: Dataset) -> list[str]:
    """The arrays in use: inputs, then labels."""
    if not dataset.inputs:
        message = f"dataset {dataset.name}: {dataset.path.name} holds arrays, and the recipe names no `inputs` of them"
        raise SourceError(message, hint="`inputs: images` feeds the array `images` to a model's only input.")
    return [*dict.fromkeys([*dataset.inputs.values(), *([dataset.labels] if dataset.labels else [])])]


def _headers(dataset: Dataset) -> dict[str, Header]:
    """The headers of the arrays in use, by array name."""
    names = _names(dataset)
    with _archive(dataset) as archive:
        there = [name.removesuffix(".npy") for name in archive.namelist()]
        absent = [missing("array", name, there) for name in names if name not in there]
        headers = {} if absent else {name: _header(archive, name) for name in names}
    if absent:
        message = f"dataset {dataset.name}: {dataset.path}: {'; '.join(absent)}"
        raise SourceError(message)
    return headers


def _check_labels(dataset: Dataset, headers: Mapping[str, Header]) -> None:
    if dataset.labels is None:
        return
    header = headers[dataset.labels]
    count = header.shape[0]
    if header.shape not in {(count,), (count, 1)} or header.dtype[1:2] not in {"i", "u"}:
        message = (
            f'dataset {dataset.name}: {dataset.path}: labels "{dataset.labels}" have type {header.dtype} and shape '
            f"{header.shape}; labels are class numbers, integers of shape [{count}]"
        )
        raise SourceError(message)


def _check_channels(dataset: Dataset, headers: Mapping[str, Header]) -> None:
    """`mean` and `std` have one value or one a channel, and the layout one letter an axis."""
    steps = dataset.preprocess
    for name in dataset.inputs.values() if steps else ():
        assert steps is not None
        shape = headers[name].shape
        stored = steps.layout[0] if steps.layout else ""
        where = f'dataset {dataset.name}: {dataset.path}: array "{name}" of shape {list(shape)}'
        if stored and len(stored) != len(shape):
            message = f"{where} doesn't have the layout {stored}"
            raise SourceError(message)
        for key, values in (("mean", steps.mean), ("std", steps.std)):
            if len(values) > 1 and ("C" not in stored or shape[stored.index("C")] != len(values)):
                layout = f"layout {stored}" if stored else "a layout (none is given)"
                message = f"{where} doesn't have the {len(values)} channels of `{key}` in {layout}"
                raise SourceError(message)


@contextmanager
def _archive(dataset: Dataset) -> Iterator[zipfile.ZipFile]:
    """The open archive; damage found inside the `with` block becomes a SourceError."""
    try:
        with zipfile.ZipFile(dataset.path) as archive:
            yield archive
    except _DAMAGE as error:
        message = f"dataset {dataset.name}: {dataset.path} is not a readable npz file: {error}"
        raise SourceError(message) from error


def _header(archive: zipfile.ZipFile, name: str) -> Header:
    """Read a .npy header as NumPy's format description (NEP 1) lays it out."""
    with archive.open(f"{name}.npy") as file:
        if file.read(6) != b"\x93NUMPY":
            message = f'array "{name}" is not in NumPy\'s format'
            raise ValueError(message)
        major, _ = file.read(2)
        (length,) = struct.unpack("<H", file.read(2)) if major == 1 else struct.unpack("<I", file.read(4))
        fields = ast.literal_eval(file.read(length).decode("latin-1" if major < 3 else "utf-8"))
    return Header(str(fields["descr"]), tuple(fields["shape"]))


def _array(archive: zipfile.ZipFile, name: str, limit: int | None) -> np.ndarray[Any, Any]:
    """The array's first `limit` items; an array stored column by column is read whole."""
    from numpy.lib import format as npy

    with archive.open(f"{name}.npy") as file:
        read = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}.get(npy.read_magic(file))
        shape, fortran, dtype = read(file) if read else ((), True, None)
        if read and not fortran and limit is not None and limit < shape[0]:
            return _items(file, (limit, *shape[1:]), dtype)
    with archive.open(f"{name}.npy") as file:
        whole: np.ndarray[Any, Any] = npy.read_array(file, allow_pickle=False)
    return whole[:limit]


def _items(file: IO[bytes], shape: tuple[int, ...], dtype: Any) -> np.ndarray[Any, Any]:
    import numpy as np

    wanted = int(np.prod(shape)) * dtype.itemsize
    data = file.read(wanted)
    if len(data) < wanted:
        message = f"{wanted} bytes expected, {len(data)} there"
        raise EOFError(message)
    while file.read(_BLOCK):  # the archive's checksum is of the whole array
        pass
    return np.frombuffer(data, dtype).reshape(shape)
