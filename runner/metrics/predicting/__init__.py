"""What models give for the rows of a dataset: a module for each way of asking, with `predict(asked)`."""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeAlias, cast

if TYPE_CHECKING:
    from runner.base.values import Array
    from runner.metrics.kept import Form
    from runner.recipe.types import Dataset

Batch: TypeAlias = "tuple[Array | Sequence[object], Mapping[str, Array | Sequence[object]]]"
"""The values of the next rows, and those of further columns."""


@dataclass(frozen=True)
class Asked:
    """What a model is asked for.

    Attributes:
        gives: what is to be kept of each row.
        folder: a complete model folder.
        dataset: with the columns that feed the model, and no others.
        settings: of the check, those that shape what is kept.
        runtime: OpenVINO properties.
    """

    gives: str
    folder: Path
    dataset: Dataset
    settings: Mapping[str, object]
    runtime: Mapping[str, object]


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
