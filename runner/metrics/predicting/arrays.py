"""The first output of any model of one part, for arrays that feed its inputs by their names."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from runner.errors import SourceError
from runner.metrics.passes import item_outputs
from runner.metrics.predicting import Asked, Batch, Given
from runner.model.classes import class_names
from runner.model.runtime import Compiled
from runner.registry.noise import BATCH, told

if TYPE_CHECKING:
    from runner.base.values import Array
    from runner.data.arrays import Arrays


def predict(asked: Asked) -> Given:
    """As `runner.metrics.predicting.Predictor` says."""
    compiled, arrays = asked.compiled(), asked.arrays()
    output = compiled.outputs[0]
    protocol = {"items": len(arrays), "output": output, "runtime": dict(compiled.runtime)}
    classes = class_names(asked.folder) if asked.gives == "class scores" else ()
    return Given(len(arrays), _batches(asked, compiled, arrays), protocol, output, classes)


def _batches(asked: Asked, compiled: Compiled, arrays: Arrays) -> Iterator[Batch]:
    apart = told(asked.settings, BATCH)
    for outputs in item_outputs(compiled, arrays, asked.dataset.name, lambda done, total: None, apart=apart):
        first = outputs[0]
        yield (scores(compiled, first) if asked.gives == "class scores" else _of_items(compiled, first)), {}


def scores(compiled: Compiled, output: Array) -> Array:
    """A first output as scores [items, classes].

    Raises:
        SourceError: it has several axes beside that of the items.
    """
    if not output.ndim or output[0].size != max(output.shape[1:], default=0):
        message = f"{compiled.folder}: the first output has shape {list(output.shape)}, not [items, classes]"
        raise SourceError(message)
    return output.reshape(len(output), -1)


def _of_items(compiled: Compiled, output: Array) -> Array:
    if not output.ndim:
        message = f"{compiled.folder}: the first output is one number, whatever the number of items"
        raise SourceError(message)
    return output
