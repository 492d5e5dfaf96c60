"""Maps of an image: classes or distances of its places."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np

from runner.base.values import Array
from runner.errors import SourceError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

Align = Literal["none", "median", "scale and shift"]


def areas(given: Sequence[Array], told: Sequence[Array], classes: int, ignored: int) -> Floats:
    """Places of each class in both maps of a row, then in either; shape [rows, 2 * classes].

    Args:
        given: class numbers [height, width] of each row, as the model gave them.
        told: those of the data, of the same sizes.
        classes: how many there are.
        ignored: the number of places that don't count.

    Raises:
        SourceError: maps of a row differ in size, or the data have a class that the model hasn't.
    """
    return np.array([_areas(one, other, classes, ignored, row) for row, one, other in _pairs(given, told)])


def _areas(given: Array, told: Array, classes: int, ignored: int, row: int) -> Floats:
    counts = told != ignored
    one, other = (values[counts].astype(np.int64) for values in (given, told))
    if other.size and not 0 <= other.min() <= other.max() < classes:
        wrong = other.max() if other.max() >= classes else other.min()
        message = f"row {row}: the mask has class {wrong}; the model has {classes} classes, 0 to {classes - 1}"
        raise SourceError(message, hint=f"Places of class {ignored} are left out; the setting `ignore` says which.")
    both = np.bincount(other[one == other], minlength=classes)
    either = np.bincount(one, minlength=classes)[:classes] + np.bincount(other, minlength=classes) - both
    return np.concatenate([both, either]).astype(np.float64)


def mean_iou(sums: Floats) -> Floats:
    """Mean over the classes that occur of intersection over union, of sums [..., 2 * classes]; NaN if none occurs."""
    found, there = _iou(sums)
    count = there.sum(-1)
    return np.where(count > 0, found.sum(-1) / np.maximum(count, 1), np.nan)


def iou_by_class(counts: Floats) -> dict[str, object]:
    """Intersection over union of each class that occurs."""
    found, there = _iou(counts[~np.isnan(counts).any(1)].sum(0))
    return {"iou": {str(number): float(found[number]) for number in np.flatnonzero(there)}}


def _iou(sums: Floats) -> tuple[Floats, NDArray[np.bool_]]:
    """Of each class, 0 where it doesn't occur; and whether it does."""
    both, either = np.split(sums, 2, axis=-1)
    there = either > 0
    return np.divide(both, either, out=np.zeros_like(both), where=there), there


def right_places(given: Sequence[Array], told: Sequence[Array], ignored: int) -> Floats:
    """(places of the right class, places that count) of each row, shape [rows, 2]."""
    rows = [
        (((one == other) & (other != ignored)).sum(), (other != ignored).sum()) for _, one, other in _pairs(given, told)
    ]
    return np.array(rows, np.float64).reshape(-1, 2)


def depth_errors(given: Sequence[Array], told: Sequence[Array], align: Align) -> Floats:
    """(relative error, root of the mean squared error, share within a factor of 1.25) of each row; shape [rows, 3].

    Places whose told depth isn't above 0 don't count; a row without any has no numbers.

    Args:
        align: what the given depths are multiplied by first: nothing, what makes the medians equal, or what fits best
            together with a shift (least squares), for models that give depth up to scale.
    """
    return np.array([_depth(one, other, align) for _, one, other in _pairs(given, told)], np.float64).reshape(-1, 3)


def _depth(given: Array, told: Array, align: Align) -> tuple[float, float, float]:
    counts = np.isfinite(told) & (told > 0)
    if not counts.any():
        return (np.nan,) * 3
    true = told[counts].astype(np.float64)
    depth = _aligned(given[counts].astype(np.float64), true, align)
    error = depth - true
    with np.errstate(divide="ignore", invalid="ignore"):
        factor = np.where(depth > 0, np.maximum(depth / true, true / depth), np.inf)
    near = np.where(np.isnan(depth), np.nan, factor < 1.25)
    return float((np.abs(error) / true).mean()), float(np.sqrt((error**2).mean())), float(near.mean())


def _aligned(depth: Floats, true: Floats, align: Align) -> Floats:
    if align == "none" or not np.isfinite(depth).all():
        return depth
    if align == "median":
        middle = float(np.median(depth))
        return depth * (float(np.median(true)) / middle) if middle else depth
    design = np.stack([depth, np.ones_like(depth)], 1)
    fit, *_ = np.linalg.lstsq(design, true, rcond=None)
    return np.asarray(design @ fit, np.float64)


def _pairs(given: Sequence[Array], told: Sequence[Array]) -> list[tuple[int, Array, Array]]:
    """Number, given and told map of each row; a map of one channel is a map.

    Raises:
        SourceError: their sizes differ.
    """
    found = []
    for row, (one, other) in enumerate(zip(given, told, strict=True), 1):
        flat, true = np.squeeze(np.asarray(one)), np.squeeze(np.asarray(other))
        if flat.shape != true.shape:
            message = f"row {row}: the model's map has shape {list(flat.shape)}, that of the data {list(true.shape)}"
            raise SourceError(message)
        found.append((row, flat, true))
    return found
