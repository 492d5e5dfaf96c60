"""What a model gave for each row of a dataset, in the rows' order: written by predicting, read by measuring.

A folder holds kept.json and, for the values and for each further column, arrays of one shape in `<name>.npy`, plain
data in `<name>.jsonl`, a row a line, or arrays of different lengths or shapes one after the other in `<name>.npy`, with
`<name>.offsets.npy` where each begins and `<name>.shapes.npy` where they have several axes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias, overload

import numpy as np

from runner.base.values import Array
from runner.errors import StageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

Form = Literal["arrays", "ragged", "lines"]
FORMS: Mapping[str, Form] = {
    "class scores": "arrays",
    "embeddings": "arrays",
    "outputs": "arrays",
    "texts": "lines",
    "spans": "lines",
    "boxes": "lines",
    "token classes": "ragged",
    "masked tokens": "lines",
    "masked scores": "ragged",
    "class maps": "ragged",
    "depth maps": "ragged",
    "log-likelihoods": "ragged",
    "task scores": "lines",
    "images": "arrays",
}
"""What is kept of a row -> how. `arrays`: of one shape for all rows. `ragged`: of any length or shape. `lines`: plain
data, such as a text."""
FILE = "kept.json"
VALUES = "values"


class NotFinite(NamedTuple):
    """Rows whose values are no finite numbers: of which output, how many, and which is the first, from 0."""

    output: str
    rows: int
    first: int

    def __str__(self) -> str:
        return f"output {self.output} isn't finite in {self.rows} rows, first in row {self.first + 1}"


@dataclass(frozen=True)
class Ragged(Sequence["Array"]):
    """Arrays of different lengths or shapes, one a row, read when they are asked for.

    Attributes:
        flat: all their values, one array after the other.
        offsets: where each begins, and where the last ends; shape [rows + 1].
        shapes: of each, shape [rows, axes]; None where they have one axis.
    """

    flat: Array
    offsets: NDArray[np.int64]
    shapes: NDArray[np.int64] | None = None

    @classmethod
    def of(cls, rows: Sequence[Array]) -> Ragged:
        """Arrays in memory."""
        flat = np.concatenate([np.asarray(row).reshape(-1) for row in rows]) if rows else np.empty(0, np.float32)
        offsets = np.cumsum([0, *(np.size(row) for row in rows)], dtype=np.int64)
        axes = {np.ndim(row) for row in rows}
        return cls(flat, offsets, None if axes <= {1} else np.array([np.shape(row) for row in rows], np.int64))

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @overload
    def __getitem__(self, row: int) -> Array: ...

    @overload
    def __getitem__(self, row: slice) -> list[Array]: ...

    def __getitem__(self, row: int | slice) -> Array | list[Array]:
        if isinstance(row, slice):
            return [self[index] for index in range(*row.indices(len(self)))]
        row = range(len(self))[row]
        found = self.flat[self.offsets[row] : self.offsets[row + 1]]
        return found if self.shapes is None else found.reshape(self.shapes[row])


Column: TypeAlias = "Array | Ragged | list[object]"
"""A value for each row."""


@dataclass(frozen=True)
class Kept:
    """What a model gave for each row of a dataset.

    Attributes:
        gives: what the values are; one of `FORMS`.
        count: rows.
        classes: names of the classes in the order of their numbers, as the model's config.json has them; empty where
            it names none.
        protocol: what a figure that is measured on it must be told with.
        values: one for each row: an array [rows, …], which is mapped from the file, a list of texts or of plain data,
            or a `Ragged`.
        extra: name -> further columns of the same rows.
        not_finite: rows that hold values which are no finite numbers; None where there are none.
    """

    gives: str
    count: int
    classes: tuple[str, ...]
    protocol: Mapping[str, object]
    values: Column
    extra: Mapping[str, Column] = field(default_factory=dict)
    not_finite: NotFinite | None = None

    @classmethod
    def read(cls, folder: Path) -> Kept:
        """What `runner.metrics.keeping` wrote.

        Raises:
            StageError: a column has more or fewer rows than were kept.
        """
        told = json.loads((folder / FILE).read_text(encoding="utf-8"))
        columns = {name: _read(folder, name, form) for name, form in told["columns"].items()}
        for name, column in columns.items():
            if len(column) != told["count"]:
                message = f"{folder}: {name} has {len(column)} rows, and {told['count']} were kept"
                raise StageError(message)
        values = columns.pop(VALUES)
        wrong = NotFinite(*told["not_finite"]) if told["not_finite"] else None
        return cls(told["gives"], told["count"], tuple(told["classes"]), told["protocol"], values, columns, wrong)

    def take(self, rows: Sequence[int]) -> Kept:
        """Some of the rows, in this order."""
        extra = {name: _taken(column, rows) for name, column in self.extra.items()}
        return replace(self, count=len(rows), values=_taken(self.values, rows), extra=extra, not_finite=None)

    @property
    def finite(self) -> NDArray[np.bool_]:
        """Whether all values of a row are finite numbers; shape [rows]."""
        if isinstance(self.values, list):
            return np.ones(self.count, np.bool_)
        return np.array([bool(is_finite(row)) for row in self.values], np.bool_)


def _read(folder: Path, name: str, form: Form) -> Column:
    if form == "lines":
        with (folder / f"{name}.jsonl").open(encoding="utf-8") as file:
            return [json.loads(line) for line in file]
    values = _mapped(folder / f"{name}.npy")
    if form == "arrays":
        return values
    shapes = folder / f"{name}.shapes.npy"
    return Ragged(values, np.load(folder / f"{name}.offsets.npy"), np.load(shapes) if shapes.is_file() else None)


def _taken(column: Column, rows: Sequence[int]) -> Column:
    if isinstance(column, np.ndarray):
        return column[list(rows)]
    found = [column[row] for row in rows]
    return Ragged.of(found) if isinstance(column, Ragged) else found  # type: ignore[arg-type]


def _mapped(path: Path) -> Array:
    """An array of a file; what is empty can't be mapped."""
    try:
        found: Array = np.load(path, mmap_mode="r", allow_pickle=False)
    except ValueError:
        found = np.load(path, allow_pickle=False)
    return found


def is_finite(row: Array) -> bool:
    return row.dtype.kind != "f" or bool(np.isfinite(row).all())
