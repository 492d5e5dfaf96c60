"""A metric of rows that are kept, item by item: for a search that looks at chosen items again and again.

An item is what the model takes at a time: one row of arrays, or a fixed batch of them.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from runner.data import read_arrays
from runner.errors import SourceError
from runner.metrics.figures import statistics, targets_of
from runner.metrics.flipped import scores
from runner.metrics.intervals import value
from runner.metrics.kept import Kept
from runner.metrics.passes import item_outputs
from runner.metrics.predicting.arrays import scores as class_scores
from runner.model.feed import fixed_batch
from runner.recipe.datasets import kinds

if TYPE_CHECKING:
    from runner.base.values import Array
    from runner.metrics.intervals import Numbers
    from runner.model.runtime import Compiled
    from runner.recipe.types import Dataset
    from runner.registry.metrics import Family


@dataclass(frozen=True)
class RowItems:
    """The items of a dataset under a metric of rows.

    Attributes:
        count: of items.
        size: rows of an item; the last may have fewer.
        outputs: what a model gives for the rows of an item, told by its number.
    """

    family: Family
    count: int
    size: int
    outputs: Callable[[Compiled, int], Array]
    targets: Mapping[str, Sequence[object]]
    settings: Mapping[str, object]

    def measure(self, compiled: Compiled, chosen: Sequence[int]) -> tuple[float, list[float]]:
        """The metric over the chosen items, and a number of each of them, which is better where the metric's is."""
        parts = [self.outputs(compiled, index) for index in chosen]
        rows = [index * self.size + at for index, part in zip(chosen, parts, strict=True) for at in range(len(part))]
        found = self._statistics(np.concatenate(parts), rows)
        each = self._each(found)
        ends = np.cumsum([0, *(len(part) for part in parts)])
        return value(found, self.family.aggregate), [
            float(each[start:end].mean()) for start, end in itertools.pairwise(ends)
        ]

    def _statistics(self, values: Array, rows: Sequence[int]) -> Numbers:
        gives = "class scores" if "class scores" in self.family.rows else self.family.rows[0]
        kept = Kept(gives, len(rows), (), {}, values)
        targets = {role: [column[row] for row in rows] for role, column in self.targets.items()}
        return statistics(self.family, kept, kept, targets, self.settings)

    def _each(self, found: Numbers) -> Numbers:
        """A number of each row; of an aggregate that is a function, what it loses without the row."""
        own = scores(self.family, found)
        if own is not None:
            return own
        whole = value(found, self.family.aggregate)
        without = [value(np.delete(found, row, axis=0), self.family.aggregate) for row in range(len(found))]
        lost = whole - np.array(without)
        return np.where(np.isfinite(lost), lost, 0.0)


def row_items(family: Family, original: Compiled, dataset: Dataset, settings: Mapping[str, object]) -> RowItems:
    """The items of a dataset of arrays.

    Raises:
        SourceError: the dataset doesn't fit the model or the metric.
        StageError: the runtime or the metric's function fails.
    """
    if "arrays" not in kinds(dataset):
        message = f"dataset {dataset.name}: accuracy control by {family.name} takes arrays, such as an npz file"
        raise SourceError(message)
    arrays, size = read_arrays(dataset), fixed_batch(original.inputs) or 1
    targets, _ = targets_of(dataset, family.targets)

    def outputs(compiled: Compiled, index: int) -> Array:
        part = arrays.take(index * size, (index + 1) * size)
        found = [np.array(one[0]) for one in item_outputs(compiled, part, dataset.name, _quiet)]
        whole = np.concatenate(found)
        return class_scores(compiled, whole) if "class scores" in family.rows else whole

    outputs(original, 0)
    return RowItems(family, -(-len(arrays) // size), size, outputs, targets, settings)


def _quiet(done: int, total: int) -> None:
    """No progress: the search tells its own."""
