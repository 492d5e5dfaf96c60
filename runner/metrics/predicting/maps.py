"""What is seen in an image, of the image's own size: the class of each place, its distance, or boxes of objects.

The model's own image processor makes them of its outputs, as in transformers' pipelines.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import SimpleNamespace
from typing import TYPE_CHECKING

import numpy as np

from runner.data.feeding.pictures import Pictures, picture
from runner.errors import SourceError, StageError
from runner.metrics.predicting import Asked, Batch, Given
from runner.model.classes import class_names
from runner.model.runtime import Compiled
from runner.model.streams import in_order

if TYPE_CHECKING:
    from runner.base.values import Array
    from runner.model.feed import Feed

_FOUND = 100
"""Boxes of an image that are kept, the surest ones: as many as COCO's figures look at."""
Size = tuple[int, int]
"""Height and width."""


def predict(asked: Asked) -> Given:
    """As `runner.metrics.predicting.Predictor` says."""
    compiled = asked.compiled_for_rows()
    pictures = Pictures(asked.folder, compiled.inputs)
    method = _METHODS[asked.gives]
    if not hasattr(pictures.processor, method):
        message = f"{asked.folder}: its image processor {type(pictures.processor).__name__} has no {method}"
        raise SourceError(message)
    protocol: dict[str, object] = {"output": compiled.outputs[0], "runtime": dict(compiled.runtime)}
    batches = _rows(asked, compiled, pictures, protocol)
    classes = class_names(asked.folder) if asked.gives != "depth maps" else ()
    return Given(asked.count, batches, protocol, compiled.outputs[0], classes)


def _rows(asked: Asked, compiled: Compiled, pictures: Pictures, protocol: dict[str, object]) -> Iterator[Batch]:
    import torch

    make = getattr(pictures.processor, _METHODS[asked.gives])
    for (where, size), _, outputs in in_order(compiled, _feeds(asked, pictures)):
        tensors = {
            name: torch.from_numpy(np.array(array)) for name, array in zip(compiled.outputs, outputs, strict=True)
        }
        try:
            made = _TAKES[asked.gives](make, SimpleNamespace(**tensors), size)
        except Exception as error:  # whatever the library raises
            message = f"{where}: the model's processor makes nothing of its outputs: {error!r}"
            raise StageError(message) from error
        yield [made], {}
    protocol |= pictures.told()


def _feeds(asked: Asked, pictures: Pictures) -> Iterator[tuple[tuple[str, Size], Feed]]:
    for row in asked.rows():
        image = picture(row)
        yield (row.where, (image.height, image.width)), pictures.of(row.where, image)


def _classes(make: Callable[..., list[object]], outputs: object, size: Size) -> Array:
    return np.asarray(make(outputs, target_sizes=[size])[0]).astype(np.int32)


def _depth(make: Callable[..., list[Mapping[str, object]]], outputs: object, size: Size) -> Array:
    return np.asarray(make(outputs, [size])[0]["predicted_depth"]).astype(np.float32)


def _boxes(make: Callable[..., list[Mapping[str, object]]], outputs: object, size: Size) -> Mapping[str, list[object]]:
    """Left, top, right and bottom of each box, its class and its score, the surest first."""
    found = make(outputs, threshold=0.0, target_sizes=[size])[0]
    scores, labels, boxes = (np.asarray(found[name]) for name in ("scores", "labels", "boxes"))
    best = np.argsort(-scores, kind="stable")[:_FOUND]
    kept = {"boxes": boxes[best].astype(np.float32), "classes": labels[best], "scores": scores[best].astype(np.float32)}
    return {name: array.tolist() for name, array in kept.items()}


_METHODS = {
    "class maps": "post_process_semantic_segmentation",
    "depth maps": "post_process_depth_estimation",
    "boxes": "post_process_object_detection",
}
_TAKES: Mapping[str, Callable[..., object]] = {"class maps": _classes, "depth maps": _depth, "boxes": _boxes}
