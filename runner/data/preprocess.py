"""What turns a stored array or an image into a model input: `(x * scale - mean) / std`, the layout, the dtype."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from runner.base.values import Array
from runner.errors import SourceError
from runner.recipe.types import Preprocess

if TYPE_CHECKING:
    from PIL.Image import Image


_RESAMPLE = "bilinear"
_WIDE = frozenset({"float64", "int32", "int64"})


def apply(array: Array, steps: Preprocess | None) -> Array:
    """Preprocess a batch in its stored layout; without steps it stays as it is.

    Arithmetic is in float32, in float64 for a float64 result and for integers of 32 bits and more. Integer results are
    rounded, halves to even, and what is beyond their range becomes its end. `mean` and `std` of several values lie
    along the stored layout's axis C.

    Raises:
        SourceError: a result is no finite number.
    """
    if steps is None:
        return array
    result = _scaled(array, steps)
    if steps.layout:
        stored, wanted = steps.layout
        result = result.transpose([stored.index(axis) for axis in wanted])
    return np.ascontiguousarray(_as_type(result, np.dtype(steps.dtype)))


def image_array(image: Image, steps: Preprocess | None, place: str) -> Array:
    """An image as a model input: colored, resized and cropped by Pillow, then what `apply` does; without a batch axis.

    Without steps it is [height, width, 3], red, green and blue, from 0 to 255.

    Args:
        place: of the image, for messages.

    Raises:
        SourceError: the image is smaller than what is to be cropped of it.
    """
    steps = steps or Preprocess(dtype="uint8")
    gray = steps.color == "GRAY"
    image = _resized(image.convert("L" if gray else "RGB"), steps)
    array = np.asarray(_cropped(image, steps, place))
    array = array[:, :, None] if gray else array[:, :, ::-1] if steps.color == "BGR" else array
    stored, wanted = steps.layout or ("HWC", "HWC")
    layout = stored.replace("N", ""), wanted.replace("N", "")
    return apply(array, replace(steps, layout=layout))


def _resized(image: Image, steps: Preprocess) -> Image:
    """To height and width, or so that the shorter side has one size and the shape stays."""
    from PIL.Image import Resampling

    if not steps.resize:
        return image
    if len(steps.resize) == 2:
        height, width = steps.resize
    else:
        (side,), shorter = steps.resize, min(image.size)
        width, height = (side * size // shorter for size in image.size)
    return image.resize((width, height), Resampling[(steps.resample or _RESAMPLE).upper()])


def _cropped(image: Image, steps: Preprocess, place: str) -> Image:
    """The middle."""
    if not steps.crop:
        return image
    height, width = steps.crop * 2 if len(steps.crop) == 1 else steps.crop
    top, left = (image.height - height) // 2, (image.width - width) // 2
    if min(top, left) < 0:
        message = f"{place}: {height} x {width} pixels can't be cropped of {image.height} x {image.width}"
        raise SourceError(message, hint="Give the dataset's `preprocess` a larger `resize`.")
    return image.crop((left, top, left + width, top + height))


def _scaled(array: Array, steps: Preprocess) -> Array:
    """After the arithmetic; whole numbers that it would leave alone stay whole numbers."""
    if array.dtype.kind in "iu" and steps.scale == 1 and not steps.mean and not steps.std:
        return array
    result: Array = array.astype(np.float64 if steps.dtype in _WIDE else np.float32)
    with np.errstate(all="ignore"):  # what isn't finite afterwards is refused
        np.multiply(result, result.dtype.type(steps.scale), out=result)
        for values, operation in ((steps.mean, np.subtract), (steps.std, np.divide)):
            if values:
                operation(result, _along_channels(values, array.ndim, steps, result.dtype), out=result)
    return result


def _as_type(result: Array, dtype: np.dtype[Any]) -> Array:
    with np.errstate(over="ignore"):
        found = result.astype(dtype, copy=False) if dtype.kind == "f" else result
    if found.dtype.kind == "f" and not np.isfinite(found).all():
        message = f"preprocessing makes numbers that aren't finite as {found.dtype}"
        raise SourceError(message, hint="Look at `scale`, `std` and `dtype` of the dataset's `preprocess`.")
    return found if dtype.kind == "f" else _saturated(found, dtype)


def _saturated(values: Array, dtype: np.dtype[Any]) -> Array:
    """Rounded and kept within the range of an integer type."""
    to = np.iinfo(dtype)
    if values.dtype.kind in "iu":
        own = np.iinfo(values.dtype)
        kept: Array = np.clip(values, max(to.min, own.min), min(to.max, own.max)).astype(dtype)
        return kept
    most = values.dtype.type(to.max)
    most = most if int(most) <= to.max else np.nextafter(most, values.dtype.type(0))
    rounded: Array = np.clip(np.rint(values), values.dtype.type(to.min), most).astype(dtype)
    return rounded


def _along_channels(values: tuple[float, ...], axes: int, steps: Preprocess, dtype: Any) -> Array:
    shape = [1] * axes
    if len(values) > 1 and steps.layout:
        shape[steps.layout[0].index("C")] = len(values)
    return np.asarray(values, dtype).reshape(shape)
