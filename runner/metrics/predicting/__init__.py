"""What models give for the rows of a dataset: a module for each way of asking, with `predict(asked)`."""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeAlias, cast

from runner.registry.predicting import Predicts, fitting
from runner.registry.tasks import TASKS

if TYPE_CHECKING:
    from runner.base.values import Array
    from runner.data.arrays import Arrays
    from runner.data.table import Row
    from runner.metrics.kept import Form
    from runner.model.runtime import Compiled
    from runner.recipe.types import Dataset

Batch: TypeAlias = "tuple[Array | Sequence[object], Mapping[str, Array | Sequence[object]]]"
"""The values of the next rows, and those of further columns."""


@dataclass(frozen=True)
class Rows:
    """What is kept of each row of a dataset, and how the rows feed the model.

    Attributes:
        gives: what is kept.
        family: of tasks; empty for arrays, which feed the models of all alike.
        roles: of the columns that feed the model.
        revision: of what predicts.
        settings: of a check, those that shape what is kept.
    """

    gives: str
    family: str
    roles: tuple[str, ...]
    revision: int
    settings: Mapping[str, object]

    @property
    def way(self) -> Predicts:
        """What predicts."""
        found = fitting(TASKS[self.family].predicts if self.family else (), self.gives, self.roles)
        assert found is not None
        return found

    @property
    def libraries(self) -> tuple[str, ...]:
        """Those of what predicts, and the package that declares the task."""
        task = TASKS[self.family] if self.family else None
        return (*self.way.libraries, *([task.distribution] if task and task.distribution else []))


@dataclass(frozen=True)
class Asked:
    """What a model is asked for.

    Attributes:
        gives: what is to be kept of each row.
        folder: a complete model folder.
        dataset: with the columns that feed the model, and no others.
        settings: of the check, those that shape what is kept.
        runtime: OpenVINO properties.
        model: what is asked in place of the folder's own model, if there is such a one.
        chosen: which of the rows that are used, from 0 and in their order; None for all of them.
    """

    gives: str
    folder: Path
    dataset: Dataset
    settings: Mapping[str, object]
    runtime: Mapping[str, object]
    model: Compiled | None = None
    chosen: Sequence[int] | None = None

    def compiled(self) -> Compiled:
        """The one network that is asked.

        Raises:
            as `runner.model.runtime.compile_folder`.
        """
        from runner.model.runtime import compile_folder

        return self.model or compile_folder(self.folder, self.runtime)

    def compiled_for_rows(self) -> Compiled:
        """The same, for rows that are fed one by one: several at a time, unless it is the one in place of another.

        Raises:
            as `runner.model.runtime.compile_folder`.
        """
        from runner.model.streams import compile_for_rows

        return self.model or compile_for_rows(self.folder, self.runtime)

    def rows(self, roles: Iterable[str] | None = None) -> Iterator[Row]:
        """The rows that it is asked about, as `runner.data.table.rows` gives them; others stay undecoded."""
        from runner.data import table

        found = table.rows(self.dataset, roles)
        if self.chosen is None:
            return found
        chosen = frozenset(self.chosen)
        return (row for place, row in enumerate(found) if place in chosen)

    @property
    def count(self) -> int:
        """How many rows there are."""
        from runner.data import table

        return table.count(self.dataset) if self.chosen is None else len(self.chosen)

    def arrays(self) -> Arrays:
        """The items that it is asked about, of a dataset of arrays."""
        from runner.data import read_arrays

        found = read_arrays(self.dataset)
        return found if self.chosen is None else found.at(self.chosen)


@dataclass
class Given:
    """What a model gives, batch by batch.

    Attributes:
        rows: how many there are.
        batches: their values in order; nothing is inferred before they are asked for.
        protocol: what a figure that is measured on it must be told with; complete once all batches were given.
        output: the name of the model's output that gives them.
        classes: names of the classes in the order of their numbers, where there are classes and the model names them.
        extra: name -> form of further columns.
    """

    rows: int
    batches: Iterable[Batch]
    protocol: dict[str, object]
    output: str = ""
    classes: tuple[str, ...] = ()
    extra: Mapping[str, Form] = field(default_factory=dict)


class Predictor(Protocol):
    """A module that predicts."""

    def predict(self, asked: Asked) -> Given:
        """Load the model, and say what it gives.

        Raises:
            SourceError: the model can't be loaded, or the dataset doesn't feed it; the batches raise it too.
            RecipeError: a property that OpenVINO refuses.
            StageError: the runtime fails; the batches raise it.
        """


def predictor(module: str) -> Predictor:
    """A module that predicts, by its dotted name; it imports what it needs."""
    return cast(Predictor, importlib.import_module(module))
