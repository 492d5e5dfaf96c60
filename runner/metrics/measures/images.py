"""Images, held against others of the same size."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from runner.base.values import Array
from runner.errors import SourceError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_SIZE, _SIGMA = 11, 1.5
_K1, _K2 = 0.01, 0.03


def psnr(one: Array, other: Array, span: float = 255.0) -> float:
    """Peak signal-to-noise ratio in dB; infinite for equal images.

    Args:
        one: an image of any shape, values from 0 to `span`.
        other: of the same shape.
        span: the highest value.
    """
    first, second = _same(one, other)
    error = float(((first - second) ** 2).mean())
    return float(10 * np.log10(span**2 / error)) if error else float("inf")


def ssim(one: Array, other: Array, span: float = 255.0) -> float:
    """Structural similarity: the mean over channels and windows that lie inside, 11 x 11 with Gaussian weights of 1.5.

    Args:
        one: an image [height, width, channels], values from 0 to `span`.
        other: of the same shape.
        span: the highest value.

    Raises:
        SourceError: images smaller than a window.
    """
    first, second = _same(one, other)
    if min(first.shape[:2]) < _SIZE:
        message = f"images of {first.shape[1]} x {first.shape[0]} are smaller than a window of {_SIZE} x {_SIZE}"
        raise SourceError(message)
    mean, other_mean = _blurred(first), _blurred(second)
    variance, other_variance = _blurred(first**2) - mean**2, _blurred(second**2) - other_mean**2
    covariance = _blurred(first * second) - mean * other_mean
    c1, c2 = (_K1 * span) ** 2, (_K2 * span) ** 2
    upper = (2 * mean * other_mean + c1) * (2 * covariance + c2)
    return float((upper / ((mean**2 + other_mean**2 + c1) * (variance + other_variance + c2))).mean())


def _blurred(image: Floats) -> Floats:
    """Gaussian means of all windows that lie inside, along both sides one after the other."""
    weights = np.exp(-(((np.arange(_SIZE) - _SIZE // 2) / _SIGMA) ** 2) / 2)
    weights /= weights.sum()
    for axis in (0, 1):
        image = np.lib.stride_tricks.sliding_window_view(image, _SIZE, axis) @ weights
    return image


def _same(one: Array, other: Array) -> tuple[Floats, Floats]:
    if one.shape != other.shape:
        message = f"images of shapes {list(one.shape)} and {list(other.shape)} can't be compared"
        raise SourceError(message)
    return one.astype(np.float64), other.astype(np.float64)
