"""Named arrays whose first axis counts the items; pickled objects are never read.

The checks read the arrays' headers alone, without numpy; the reader takes no more than the items that are used.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, NoReturn, Protocol

from runner.base.values import Array
from runner.base.words import missing
from runner.data.array_checks import check_channels, check_labels, refuse_not_finite
from runner.data.npy import Header, read_header
from runner.data.records import Record, columns_of
from runner.data.selection import selected
from runner.errors import SourceError

if TYPE_CHECKING:
    from runner.recipe.types import Dataset, Preprocess

_AS_NUMBERS = "Save it as whole numbers, of up to 64 bits, or as floats: nothing else feeds a model."
_BLOCK = 1 << 20


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
        return self._of(slice(start, stop))

    def at(self, places: Sequence[int]) -> Arrays:
        """The items of these places as arrays of their own."""
        return self._of(list(places))

    def _of(self, places: slice | list[int]) -> Arrays:
        inputs = {name: array[places] for name, array in self.inputs.items()}
        return Arrays(inputs, None if self.labels is None else self.labels[places], self.preprocess)


class Container(Protocol):
    """Where arrays are kept, each in NumPy's format."""

    def names(self) -> list[str]:
        """Of the arrays that are there."""

    def header(self, name: str) -> Header:
        """What an array says of itself.

        Raises:
            ValueError: it is not kept as NumPy does, or not in full.
        """

    def open(self, name: str) -> IO[bytes]:
        """An array's bytes, its header first."""

    def check_rest(self, file: IO[bytes]) -> None:
        """Look at what of an open array is not used."""


@dataclass(frozen=True)
class ArrayReader:
    """Reads datasets of a format by what opens its files; damage found while they are open is a SourceError."""

    open: Callable[[Dataset], AbstractContextManager[Container]]

    def check(self, dataset: Dataset) -> None:
        """Read the headers of the arrays that the dataset names.

        Raises:
            SourceError: it can't be read, no such array, pickled objects, no items, lengths that differ, or values of
                mean or std that don't match the channels.
        """
        headers = self.array_headers(dataset)
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
        check_labels(dataset, headers)
        check_channels(dataset, headers)

    def read_arrays(self, dataset: Dataset) -> Arrays:
        """The items in use of the arrays that the dataset names.

        Raises:
            SourceError: as `check`, the data are damaged, or a value is no finite number.
        """
        if not dataset.inputs:
            _refuse_without_inputs(dataset)
        self.check(dataset)
        load = self._chosen if dataset.where or dataset.shuffle else self._first
        arrays = load(dataset)
        for name, array in arrays.items():
            refuse_not_finite(dataset, name, array)
        labels = arrays[dataset.labels].reshape(-1) if dataset.labels else None
        return Arrays({key: arrays[name] for key, name in dataset.inputs.items()}, labels, dataset.preprocess)

    def array_headers(self, dataset: Dataset) -> dict[str, Header]:
        """The headers of the arrays in use, by array name. Raises as `check` does where one can't be read."""
        names = names_of(dataset)
        with self.open(dataset) as container:
            there = container.names()
            absent = [missing("array", name, there) for name in names if name not in there]
            headers = {} if absent else {name: container.header(name) for name in names}
        if absent:
            message = f"dataset {dataset.name}: {dataset.path}: {'; '.join(absent)}"
            raise SourceError(message)
        return headers

    def records(self, dataset: Dataset) -> Iterator[Record]:
        """The items of all arrays that the dataset names, by the names of the arrays.

        Raises:
            SourceError: as `read_arrays`.
        """
        self.check(dataset)
        names = names_of(dataset)
        with self.open(dataset) as container, ExitStack() as opened:
            items = [_items(opened.enter_context(container.open(name)), name) for name in names]
            for number, item in enumerate(zip(*items, strict=True)):
                row = dict(zip(names, item, strict=True))
                yield Record(number, f"{dataset.path}, item {number}", lambda row=row: _row(dataset, row))  # type: ignore[misc]

    def digest(self, dataset: Dataset, total: hashlib._Hash) -> None:
        """Feed the items in use into a digest; those of the first rows as they are in the file, without numpy.

        Raises:
            SourceError: as `check`.
        """
        self.check(dataset)
        if dataset.where or dataset.shuffle:
            for name, array in sorted(self._chosen(dataset).items()):
                total.update(f"{name} {array.dtype.str} {array.shape}".encode())
                total.update(array.tobytes())
            return
        with self.open(dataset) as container:
            for name in sorted(names_of(dataset)):
                header = container.header(name)
                count, size = _extent(header, dataset.limit)
                total.update(f"{name} {header.dtype} {header.fortran} {count} {header.shape[1:]}".encode())
                with container.open(name) as file:
                    file.read(header.size)
                    while size > 0 and (block := file.read(min(size, _BLOCK))):
                        total.update(block)
                        size -= len(block)

    def contents(self, dataset: Dataset) -> Iterator[bytes]:
        """The bytes of each item in use, all inputs together; without numpy where the first items are used.

        Raises:
            SourceError: as `check`.
        """
        self.check(dataset)
        headers = self.array_headers(dataset)
        if dataset.where or dataset.shuffle or any(header.fortran for header in headers.values()):
            for record in selected(dataset, self):
                row = record.load()
                yield b"".join(getattr(row[name], "tobytes", bytes)() for name in dataset.inputs.values())
            return
        with self.open(dataset) as container, ExitStack() as opened:
            names = list(dict.fromkeys(dataset.inputs.values()))
            files = [opened.enter_context(container.open(name)) for name in names]
            for name, file in zip(names, files, strict=True):
                file.read(headers[name].size)
            sizes = [headers[name].bytes // headers[name].shape[0] for name in names]
            for _ in range(_extent(headers[names[0]], dataset.limit)[0]):
                yield b"".join(file.read(size) for file, size in zip(files, sizes, strict=True))

    def count(self, dataset: Dataset) -> int:
        """How many items are used, by the headers alone unless there are conditions."""
        if dataset.where:
            return sum(1 for _ in selected(dataset, self))
        return _extent(next(iter(self.array_headers(dataset).values())), dataset.limit)[0]

    def _first(self, dataset: Dataset) -> dict[str, Array]:
        """The first `limit` items of each array in use."""
        with self.open(dataset) as container:
            return {name: _array(container, name, dataset.limit) for name in names_of(dataset)}

    def _chosen(self, dataset: Dataset) -> dict[str, Array]:
        """The items of the rows in use."""
        import numpy as np

        found = [one.load() for one in selected(dataset, self)]
        if not found:
            message = f"dataset {dataset.name}: {dataset.path} has no items that `where` lets through"
            raise SourceError(message)
        return {name: np.stack([np.asarray(row[name]) for row in found]) for name in names_of(dataset)}


def _row(dataset: Dataset, row: Mapping[str, Array]) -> dict[str, object]:
    """The items of a row; a number of an array of one axis, or of a second that has one place, but of inputs."""
    fed = set(dataset.inputs.values())
    return {
        name: item.item() if item.size == 1 and item.ndim <= 1 and name not in fed else item
        for name, item in row.items()
    }


def _items(file: IO[bytes], name: str) -> Iterator[Array]:
    """The items of an open array, one after the other; of one that is stored column by column, all are held."""
    import numpy as np

    header = read_header(file, name)
    if header.fortran:
        yield from np.frombuffer(file.read(header.bytes), header.dtype).reshape(header.shape[::-1]).transpose()
        return
    size = header.bytes // header.shape[0]
    for _ in range(header.shape[0]):
        yield np.frombuffer(file.read(size), header.dtype).reshape(header.shape[1:])


def names_of(dataset: Dataset) -> list[str]:
    """The arrays in use: inputs, then those of roles and conditions."""
    names = [*dict.fromkeys([*dataset.inputs.values(), *columns_of(dataset)])]
    if not names:
        _refuse_without_inputs(dataset)
    return names


def _refuse_without_inputs(dataset: Dataset) -> NoReturn:
    message = f"dataset {dataset.name}: {dataset.path.name} holds arrays, and the recipe names no `inputs` of them"
    raise SourceError(message, hint="`inputs: images` feeds the array `images` to a model's only input.")


def _extent(header: Header, limit: int | None) -> tuple[int, int]:
    """How many items are used, and the bytes to read for them: an array stored column by column is read whole."""
    count = header.shape[0] if limit is None else min(limit, header.shape[0])
    return count, header.bytes if header.fortran else header.bytes // header.shape[0] * count


def _array(container: Container, name: str, limit: int | None) -> Array:
    """The array's first `limit` items."""
    import numpy as np

    with container.open(name) as file:
        header = read_header(file, name)
        count, wanted = _extent(header, limit)
        data = file.read(wanted)
        container.check_rest(file)
    if len(data) < wanted:
        message = f"{wanted} bytes expected, {len(data)} there"
        raise EOFError(message)
    found = np.frombuffer(data, header.dtype)
    if header.fortran:
        return found.reshape(header.shape[::-1]).transpose()[:count]
    return found.reshape(count, *header.shape[1:])
