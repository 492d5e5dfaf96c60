"""What turns a stored array into a model input: `(x * scale - mean) / std`, the layout, the dtype."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from runner.recipe.types import Preprocess


def apply(array: np.ndarray[Any, Any], steps: Preprocess | None) -> np.ndarray[Any, Any]:
    """Preprocess a batch in its stored layout; without steps it stays as it is.

    Arithmetic is in float32, in float64 for a float64 result. `mean` and `std` of several values lie along the
    stored layout's axis C.
    """
    if steps is None:
        return array
    result: np.ndarray[Any, Any] = array.astype(np.float64 if steps.dtype == "float64" else np.float32)
    np.multiply(result, result.dtype.type(steps.scale), out=result)
    for values, operation in ((steps.mean, np.subtract), (steps.std, np.divide)):
        if values:
            operation(result, _along_channels(values, array.ndim, steps, result.dtype), out=result)
    if steps.layout:
        stored, wanted = steps.layout
        result = result.transpose([stored.index(axis) for axis in wanted])
    return np.ascontiguousarray(result, dtype=steps.dtype)


def _along_channels(values: tuple[float, ...], axes: int, steps: Preprocess, dtype: Any) -> np.ndarray[Any, Any]:
    shape = [1] * axes
    if len(values) > 1 and steps.layout:
        shape[steps.layout[0].index("C")] = len(values)
    return np.asarray(values, dtype).reshape(shape)
