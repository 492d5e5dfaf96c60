"""NumPy archives: named arrays whose first axis counts the items; pickled objects are never read.

The checks read the arrays' headers alone, without numpy; the reader takes no more than the first `limit` items.
"""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, NoReturn

from runner.base.values import Array
from runner.base.words import missing
from runner.data.npy import Header, read_header
from runner.data.opening import open_file
from runner.data.records import Record
from runner.errors import SourceError

if TYPE_CHECKING:
    from runner.recipe.types import Dataset, Preprocess

_DAMAGE = (
    *(zipfile.BadZipFile, zipfile.LargeZipFile, zlib.error, struct.error, OSError, ValueError, KeyError, IndexError),
    *(EOFError, RuntimeError, ArithmeticError),
)
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_ENCRYPTED = 1

_AS_NUMBERS = "Save it as whole numbers, of up to 64 bits, or as floats: nothing else feeds a model."
_BLOCK = 1 << 20
_CHECKED = 256 << 20
"""Bytes behind the items in use that are read for the sake of the archive's checksum; a longer rest is left unread."""


@dataclass(frozen=True)
class Arrays:
    """Arrays of one length: model input name -> [items, …] as stored, and labels [items] or None.

    The input name "" stands for the model's only input.
    """

    inputs: Mapping[str, Array]
    labels: Array | None
    preprocess: Preprocess | None

    def __len__(self) -> int:
        return len(next(iter(self.inputs.values())))

    def batch(self, start: int, stop: int) -> dict[str, Array]:
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
    headers = array_headers(dataset)
    for name, header in headers.items():
        if header.other:
            message = f'dataset {dataset.name}: {dataset.path}: array "{name}" holds {header.other}'
            raise SourceError(message, hint=_AS_NUMBERS)
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
        SourceError: as `check`, the archive's data are damaged, or a value is no finite number.
    """
    if not dataset.inputs:
        _refuse_without_inputs(dataset)
    arrays = _load(dataset)
    labels = arrays[dataset.labels].reshape(-1) if dataset.labels else None
    return Arrays({key: arrays[name] for key, name in dataset.inputs.items()}, labels, dataset.preprocess)


def records(dataset: Dataset) -> Iterator[Record]:
    """The items of all arrays that the dataset names, by the names of the arrays.

    Raises:
        SourceError: as `read_arrays`.
    """
    arrays = _load(dataset)
    for number in range(min(len(array) for array in arrays.values())):
        row = {name: _item(array, number) for name, array in arrays.items()}
        yield Record(number, f"{dataset.path}, item {number}", lambda row=row: row)  # type: ignore[misc]


def _item(array: Array, number: int) -> object:
    """An item; a number for an array of one axis, or of a second that has one place."""
    item = array[number]
    return item.item() if item.size == 1 and array.ndim <= 2 else item


def _names(dataset: Dataset) -> list[str]:
    """The arrays in use: inputs, then those of roles."""
    names = [*dict.fromkeys([*dataset.inputs.values(), *dataset.columns.values()])]
    if not names:
        _refuse_without_inputs(dataset)
    return names


def _refuse_without_inputs(dataset: Dataset) -> NoReturn:
    message = f"dataset {dataset.name}: {dataset.path.name} holds arrays, and the recipe names no `inputs` of them"
    raise SourceError(message, hint="`inputs: images` feeds the array `images` to a model's only input.")


def _load(dataset: Dataset) -> dict[str, Array]:
    """The first `limit` items of each array in use, by its name; all numbers in them are finite."""
    check(dataset)
    with _archive(dataset) as archive:
        arrays = {name: _array(archive, name, dataset.limit) for name in _names(dataset)}
    for name, array in arrays.items():
        _refuse_not_finite(dataset, name, array)
    return arrays


def array_headers(dataset: Dataset) -> dict[str, Header]:
    """The headers of the arrays in use, by array name. Raises as `check` does where one can't be read."""
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
        with open_file(dataset) as file, zipfile.ZipFile(file) as archive:
            yield archive
    except _DAMAGE as error:
        message = f"dataset {dataset.name}: {dataset.path} is not a readable npz file: {error}"
        raise SourceError(message) from error


def _header(archive: zipfile.ZipFile, name: str) -> Header:
    """An array's header, once the archive keeps the array as NumPy does and in full."""
    entry = archive.getinfo(f"{name}.npy")
    problem = None
    if archive.namelist().count(entry.filename) > 1:
        problem = "is there twice"
    elif entry.flag_bits & _ENCRYPTED:
        problem = "is encrypted"
    elif entry.compress_type not in _METHODS:
        problem = "is packed in a way that NumPy doesn't write; save it by numpy.savez or savez_compressed"
    if problem:
        message = f'array "{name}" {problem}'
        raise ValueError(message)
    with archive.open(entry) as file:
        header = read_header(file, name)
    if not header.other and header.size + header.bytes > entry.file_size:
        message = f'array "{name}" of shape {list(header.shape)} needs {header.bytes} bytes, more than there are'
        raise ValueError(message)
    return header


def _array(archive: zipfile.ZipFile, name: str, limit: int | None) -> Array:
    """The array's first `limit` items; an array stored column by column is read whole."""
    import numpy as np

    with archive.open(f"{name}.npy") as file:
        header = read_header(file, name)
        count = header.shape[0] if limit is None else min(limit, header.shape[0])
        wanted = header.bytes if header.fortran else header.bytes // header.shape[0] * count
        data = file.read(wanted)
        _check_rest(file)
    if len(data) < wanted:
        message = f"{wanted} bytes expected, {len(data)} there"
        raise EOFError(message)
    found = np.frombuffer(data, header.dtype)
    if header.fortran:
        return found.reshape(header.shape[::-1]).transpose()[:count]
    return found.reshape(count, *header.shape[1:])


def _check_rest(file: IO[bytes]) -> None:
    """Read on to the end, where the archive's checksum of the whole array is compared, unless that is far."""
    left = _CHECKED
    while left > 0 and (block := file.read(_BLOCK)):
        left -= len(block)


def _refuse_not_finite(dataset: Dataset, name: str, array: Array) -> None:
    import numpy as np

    if array.dtype.kind != "f":
        return
    step = max(1, _BLOCK // max(1, array[:1].size))
    parts = [~np.isfinite(array[start : start + step]) for start in range(0, len(array), step)]
    wrong = np.concatenate([part.reshape(len(part), -1).sum(-1) for part in parts])
    if wrong.any():
        message = (
            f'dataset {dataset.name}: {dataset.path}: array "{name}" has {int(wrong.sum())} values that aren\'t finite '
            f"numbers, in {int((wrong > 0).sum())} items, first in item {int((wrong > 0).argmax())}"
        )
        raise SourceError(message, hint="Leave these items out, or give them numbers.")
