"""Writes what a model gives for the rows of a dataset, batch by batch, as `runner.metrics.kept` reads it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import IO, TYPE_CHECKING, Protocol, Self

import numpy as np

from runner.errors import StageError
from runner.metrics.kept import FILE, FORMS, VALUES, Form, NotFinite, is_finite
from runner.metrics.stored import RowFile

if TYPE_CHECKING:
    from runner.base.progress import Progress
    from runner.base.values import Array
    from runner.metrics.predicting import Given

    Batch = Array | Sequence[object]


class Keeping:
    """Keeps one value a row, in the rows' order; no more than a batch is in memory.

    Args:
        folder: an empty one.
        gives: one of `FORMS`.
        classes: as `Kept` has them.
        output: the name of the model's output that gives the values, for messages.
        extra: name -> form of further columns.
    """

    def __init__(
        self,
        folder: Path,
        gives: str,
        *,
        classes: Sequence[str] = (),
        output: str = "",
        extra: Mapping[str, Form] | None = None,
    ) -> None:
        self.folder, self.gives, self.classes, self.output = folder, gives, tuple(classes), output or gives
        self.forms: dict[str, Form] = {VALUES: FORMS[gives], **(extra or {})}
        self.count = self.wrong = self.first = 0

    def __enter__(self) -> Self:
        self._stack = ExitStack()
        self._columns: dict[str, _Writer] = {
            name: self._stack.enter_context(_WRITERS[form](self.folder, name)) for name, form in self.forms.items()
        }
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stack.__exit__(kind, error, at)

    def add(self, values: Batch, **extra: Batch) -> None:
        """Keep a value for each of the next rows, and those of the further columns.

        Raises:
            OSError: the disk is full.
            StageError: arrays of another shape than those before, where all have to be of one.
        """
        for name, column in self._columns.items():
            try:
                column.add(values if name == VALUES else extra[name])
            except ValueError as error:
                message = f"{self.output} can't be kept for each row: {error}"
                raise StageError(message) from error
        if self.forms[VALUES] != "lines":
            self._count_wrong([not is_finite(np.asarray(row)) for row in values])
        self.count += len(values)

    def _count_wrong(self, wrong: list[bool]) -> None:
        if any(wrong) and not self.wrong:
            self.first = self.count + wrong.index(True)
        self.wrong += sum(wrong)

    @property
    def not_finite(self) -> NotFinite | None:
        """As `Kept` has it, of the rows so far."""
        return NotFinite(self.output, self.wrong, self.first) if self.wrong else None

    def finish(self, rows: int, protocol: Mapping[str, object]) -> None:
        """Write what there is to tell, once all rows are kept.

        Args:
            rows: how many the dataset has.

        Raises:
            StageError: more or fewer were kept.
        """
        if self.count != rows:
            message = f"the model gave {self.count} values for {rows} rows"
            raise StageError(message)
        self._stack.close()
        told = {
            "gives": self.gives,
            "count": self.count,
            "classes": self.classes,
            "protocol": protocol,
            "columns": self.forms,
            "not_finite": self.not_finite,
        }
        text = json.dumps(told, indent=1, ensure_ascii=False)
        (self.folder / FILE).write_text(text + "\n", encoding="utf-8")


def keep(gives: str, given: Given, folder: Path, progress: Progress) -> None:
    """Keep all that a model gives, in an empty folder.

    Raises:
        as `runner.metrics.predicting.Predictor.predict` and `Keeping`.
    """
    with Keeping(folder, gives, classes=given.classes, output=given.output, extra=given.extra) as keeping:
        for values, extra in given.batches:
            keeping.add(values, **extra)
            progress(keeping.count, given.rows)
        keeping.finish(given.rows, given.protocol)


class _Writer(Protocol):
    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...

    def add(self, values: Batch) -> None: ...


class _Arrays:
    """Arrays of one shape, of the type of the first; floats are kept as float32."""

    def __init__(self, folder: Path, name: str) -> None:
        self.path = folder / f"{name}.npy"
        self._file: RowFile | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is None:
            np.save(self.path, np.empty(0, np.float32))
        else:
            self._file.__exit__()

    def add(self, values: Batch) -> None:
        rows = np.asarray(values)
        if self._file is None:
            self._file = RowFile(self.path, np.float32 if rows.dtype.kind == "f" else rows.dtype).__enter__()
        self._file.append(rows)


class _Ragged:
    """Arrays of different lengths or shapes."""

    def __init__(self, folder: Path, name: str) -> None:
        self.folder, self.name = folder, name
        self._flat = _Arrays(folder, name)
        self._ends, self._shapes = [0], list[tuple[int, ...]]()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._flat.__exit__()
        np.save(self.folder / f"{self.name}.offsets.npy", np.array(self._ends, np.int64))
        if any(len(shape) != 1 for shape in self._shapes):
            np.save(self.folder / f"{self.name}.shapes.npy", np.array(self._shapes, np.int64))

    def add(self, values: Batch) -> None:
        for row in map(np.asarray, values):
            self._flat.add(row.reshape(-1))
            self._ends.append(self._ends[-1] + row.size)
            self._shapes.append(row.shape)


class _Lines:
    """Plain data, a row a line."""

    def __init__(self, folder: Path, name: str) -> None:
        self.path = folder / f"{name}.jsonl"
        self._file: IO[str]

    def __enter__(self) -> Self:
        self._file = self.path.open("w", encoding="utf-8")
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def add(self, values: Batch) -> None:
        self._file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in values)


_WRITERS: Mapping[Form, Callable[[Path, str], _Writer]] = {
    "arrays": _Arrays,
    "ragged": _Ragged,
    "lines": _Lines,
}
