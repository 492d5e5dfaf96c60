"""Classification: the share of items whose highest score is that of their label (top-1 accuracy)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from runner.base.progress import Progress
from runner.base.values import Array
from runner.errors import SourceError
from runner.metrics.passes import item_outputs
from runner.model.runtime import Compiled

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from runner.data.arrays import Arrays
    from runner.recipe.types import Dataset


def right_items(compiled: Compiled, dataset: Dataset, arrays: Arrays, progress: Progress) -> NDArray[np.float64]:
    """1 where the best class of an item of `arrays`, a part of the dataset, is its label, 0 where not; shape [items].

    NaN where the item has a score that is no number, or an infinite best one.

    Raises:
        SourceError: the dataset doesn't fit the model.
        StageError: the runtime fails.
    """
    labels = labels_of(dataset, arrays)
    right = np.zeros(len(labels))
    for here, scores in class_scores(compiled, dataset, arrays, progress):
        right[here] = np.where(np.isfinite(scores.max(-1)), scores.argmax(-1) == labels[here], np.nan)
    return right


def class_scores(
    compiled: Compiled, dataset: Dataset, arrays: Arrays, progress: Progress
) -> Iterator[tuple[slice, Array]]:
    """The scores [rows, classes] of a model's first output, a batch at a time, and which rows of `arrays` they are of.

    The next batch overwrites them.

    Raises:
        SourceError: the dataset doesn't fit the model.
        StageError: the runtime fails.
    """
    labels, done = labels_of(dataset, arrays), 0
    for outputs in item_outputs(compiled, arrays, dataset.name, progress):
        scores = _scores(compiled, dataset, outputs[0], labels)
        yield slice(done, done + len(scores)), scores
        done += len(scores)


def labels_of(dataset: Dataset, arrays: Arrays) -> Array:
    """The class numbers [rows].

    Raises:
        SourceError: there are none.
    """
    if arrays.labels is None:
        message = f"dataset {dataset.name} has no labels, and accuracy needs them"
        raise SourceError(message, hint="Name the array of class numbers in the dataset: `labels: <array>`.")
    return arrays.labels


def _scores(compiled: Compiled, dataset: Dataset, output: Array, labels: Array) -> Array:
    """The output as [items, classes], whose classes hold every label."""
    scores = output.reshape(len(output), -1)
    if np.prod(output.shape[1:]) != max(output.shape[1:], default=0):
        message = f"{compiled.folder}: the first output has shape {list(output.shape)}, not [items, classes]"
        raise SourceError(message)
    if labels.min() < 0 or labels.max() >= scores.shape[1]:
        message = (
            f"dataset {dataset.name}: labels go from {labels.min()} to {labels.max()}; "
            f"the model has {scores.shape[1]} classes, 0 to {scores.shape[1] - 1}"
        )
        raise SourceError(message)
    return scores
