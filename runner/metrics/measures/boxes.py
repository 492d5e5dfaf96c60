"""Boxes of objects: average precision as COCO defines it; pycocotools matches boxes, a row at a time.

The statistics of a row are one line of numbers: how many boxes each row has room for, then that many times (score,
class, matches), then how many objects of each class the data have. The matches are bits: for each of the ten thresholds
of overlap whether the box is an object's, then for each whether it doesn't count.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from runner.base.values import Array
from runner.errors import SourceError
from runner.metrics.measures.labels import tag_numbers

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

Layout = Literal["left top width height", "left top right bottom"]
_KEYS = {
    "boxes": ("boxes", "box", "bbox"),
    "classes": ("classes", "labels", "class", "label", "category", "category_id"),
    "scores": ("scores", "score"),
    "crowd": ("iscrowd", "is_crowd", "crowd"),
}
"""What a row says of its boxes, by the names that datasets and Transformers have for it."""
_SIDES = ("xmin", "ymin", "xmax", "ymax")
_OVERLAPS = 10
"""Thresholds, 0.50 to 0.95."""
_EMPTY = -1
_RECALLS = np.linspace(0, 1, 101)


@dataclass(frozen=True)
class Found:
    """What was found in an image, or is told of it.

    Attributes:
        boxes: left, top, right, bottom; [boxes, 4].
        classes: class numbers, [boxes].
        scores: of each, [boxes]; of what is told, 1.
        crowd: whether a box holds many objects, [boxes]; of what is told only.
    """

    boxes: Array
    classes: Array
    scores: Array
    crowd: Array


def found(value: object, row: int, classes: Sequence[str]) -> Found:
    """What a model found in a row: boxes as left, top, right and bottom, their classes and scores.

    Raises:
        SourceError: the row says something else.
    """
    return _row(value, row, classes, "left top right bottom", scored=True)


def told(value: object, row: int, classes: Sequence[str], layout: Layout) -> Found:
    """What the data tell of a row: a mapping of lists, or a list of mappings, of boxes and their classes.

    Args:
        value: such as {"bbox": [[10, 20, 30, 40]], "category": [3]}; `iscrowd` may stand beside.
        row: its number, for messages.
        classes: the names of the model's classes.
        layout: of a box.

    Raises:
        SourceError: the row says something else.
    """
    return _row(value, row, classes, layout, scored=False)


def _row(value: object, row: int, classes: Sequence[str], layout: Layout, *, scored: bool) -> Found:
    columns = _columns(value)
    if columns is None or "boxes" not in columns or "classes" not in columns or (scored and "scores" not in columns):
        if not isinstance(value, list | tuple) or value:
            message = f"row {row}: boxes are a mapping of lists, or a list of mappings, with `bbox` and `category`"
            raise SourceError(message)
        columns = {"boxes": [], "classes": [], "scores": []}
    sides = [_sides(box) for box in columns["boxes"]]
    if not all(len(one) == 4 for one in sides) or len(sides) != len(columns["classes"]):
        message = f"row {row}: a box has four numbers and one class"
        raise SourceError(message)
    where = np.array(sides, np.float64).reshape(-1, 4)
    if layout == "left top width height":
        where = np.concatenate([where[:, :2], where[:, :2] + where[:, 2:]], 1)
    count = len(where)
    scores = np.array(columns["scores"] if scored else [1.0] * count, np.float64)
    crowd = np.array(columns.get("crowd", [False] * count), np.bool_)
    return Found(where, tag_numbers(columns["classes"], row, classes), scores, crowd)


def _columns(value: object) -> dict[str, list[object]] | None:
    """The lists of a mapping of them, or of a list of mappings, by our own names."""
    if isinstance(value, Mapping):
        named = {key: value[name] for key, names in _KEYS.items() for name in names if name in value}
        return {key: list(column) for key, column in named.items() if isinstance(column, Iterable)}
    if not isinstance(value, list | tuple) or not value or not all(isinstance(one, Mapping) for one in value):
        return None
    return {
        key: [one[name] for one in value]
        for key, names in _KEYS.items()
        for name in names
        if all(name in one for one in value)
    }


def _sides(box: object) -> list[float]:
    numbers = [box.get(side) for side in _SIDES] if isinstance(box, Mapping) else box
    if not isinstance(numbers, Sequence | np.ndarray):
        return []
    return [float(one) for one in numbers if isinstance(one, int | float | np.number)]


def matched(given: Sequence[Found], told: Sequence[Found], classes: int) -> Floats:
    """The statistics of all rows, as the module says; shape [rows, 1 + 3 * boxes + classes].

    Args:
        given: what the model found in each image.
        told: what the data tell of it.
        classes: how many there are.
    """
    found = _evaluated(given, told, classes)
    rows = [_boxes(images) for images in found]
    room = max((len(row) for row in rows), default=0)
    statistics = np.zeros((len(rows), 1 + 3 * room + classes))
    statistics[:, 0] = room
    for line, boxes, images in zip(statistics, rows, found, strict=True):
        padded = np.full((room, 3), float(_EMPTY))
        padded[: len(boxes)] = np.reshape(boxes, (-1, 3))
        line[1 : 1 + 3 * room] = padded.reshape(-1)
        for number, one in images.items():
            line[1 + 3 * room + number] = np.count_nonzero(np.asarray(one["gtIgnore"]) == 0)
    return statistics


def average_precision(statistics: Floats) -> float:
    """Mean over the classes that the data have, and over overlaps of 0.50, 0.55 … 0.95."""
    return _mean(_precisions(statistics, range(_OVERLAPS)))


def average_precision_50(statistics: Floats) -> float:
    """As `average_precision`, at an overlap of 0.50 alone."""
    return _mean(_precisions(statistics, range(1)))


def by_class(statistics: Floats) -> dict[str, object]:
    """Average precision of each class that the data have."""
    known = statistics[~np.isnan(statistics).any(1)]
    found = _precisions(known, range(_OVERLAPS)) if len(known) else {}
    return {"average_precision": {str(number): one for number, one in found.items()}}


def _mean(found: dict[int, float]) -> float:
    return float(np.mean(list(found.values()))) if found else float("nan")


def _precisions(statistics: Floats, overlaps: range) -> dict[int, float]:
    """Class -> average precision, of the classes with objects."""
    if np.isnan(statistics).any():
        return {}
    room = int(statistics[0, 0])
    boxes = statistics[:, 1 : 1 + 3 * room].reshape(-1, 3)
    boxes = boxes[boxes[:, 1] != _EMPTY]
    boxes = boxes[np.lexsort((-boxes[:, 0], boxes[:, 1]))]  # stable: of equal scores those of earlier rows come first
    objects = statistics[:, 1 + 3 * room :].sum(0)
    start, stop = (np.searchsorted(boxes[:, 1], np.arange(len(objects)), side) for side in ("left", "right"))
    return {
        int(number): _area(boxes[start[number] : stop[number], 2].astype(np.int64), objects[number], overlaps)
        for number in np.flatnonzero(objects)
    }


def _area(matches: NDArray[np.int64], objects: float, overlaps: range) -> float:
    """Mean over the overlaps of precision at 101 recalls, each the best at that recall or a higher one."""
    found = []
    for bit in overlaps:
        counts = (matches >> (bit + _OVERLAPS)) & 1 == 0
        right = np.cumsum((matches >> bit) & counts)
        precision = right / np.maximum(np.cumsum(counts), np.spacing(1))
        best = np.append(np.maximum.accumulate(precision[::-1])[::-1], 0.0)
        found.append(best[np.searchsorted(right / objects, _RECALLS, "left")].mean())
    return float(np.mean(found))


def _boxes(images: dict[int, dict[str, Array]]) -> list[tuple[float, int, int]]:
    """(score, class, matches) of all boxes of an image."""
    found = []
    for number, one in images.items():
        bits = 1 << np.arange(_OVERLAPS)
        matches = (np.asarray(one["dtMatches"]) > 0).T @ bits
        ignored = np.asarray(one["dtIgnore"]).astype(bool).T @ bits
        both = matches + (ignored << _OVERLAPS)
        found += list(zip(map(float, one["dtScores"]), [number] * len(both), map(int, both), strict=True))
    return found


def _evaluated(given: Sequence[Found], told: Sequence[Found], classes: int) -> list[dict[int, dict[str, Array]]]:
    """What pycocotools found of each image: class -> matches of its boxes."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    with contextlib.redirect_stdout(io.StringIO()):  # it prints how far it is
        truth, guess = COCO(), COCO()
        truth.dataset, guess.dataset = _dataset(told, classes), _dataset(given, classes)
        truth.createIndex()
        guess.createIndex()
        judge = COCOeval(truth, guess, "bbox")
        judge.params.areaRng, judge.params.areaRngLbl = judge.params.areaRng[:1], judge.params.areaRngLbl[:1]
        judge.params.maxDets = [100]
        judge.evaluate()
    images: list[dict[int, dict[str, Array]]] = [{} for _ in told]
    for one in judge.evalImgs:
        if one is not None:
            images[one["image_id"] - 1][one["category_id"]] = one
    return images


def _dataset(rows: Sequence[Found], classes: int) -> dict[str, object]:
    annotations: list[dict[str, object]] = []
    for image, row in enumerate(rows, 1):
        for box, number, score, crowd in zip(row.boxes, row.classes, row.scores, row.crowd, strict=True):
            left, top, right, bottom = (float(side) for side in box)
            size = [left, top, right - left, bottom - top]
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": image,
                    "category_id": int(number),
                    "bbox": size,
                    "area": size[2] * size[3],
                    "score": float(score),
                    "iscrowd": int(crowd),
                }
            )
    return {
        "info": {},
        "images": [{"id": image} for image in range(1, len(rows) + 1)],
        "categories": [{"id": number} for number in range(classes)],
        "annotations": annotations,
    }
