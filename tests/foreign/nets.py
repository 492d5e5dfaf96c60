"""Two nets with known weights, which compute in numpy what every file of them must give."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Dense:
    """y = relu(x @ w1) @ w2, with x [batch, 16] and y [batch, 8]."""

    w1: Floats
    w2: Floats

    def __call__(self, x: Floats) -> Floats:
        return np.maximum(x @ self.w1, 0) @ self.w2


@dataclass(frozen=True)
class Conv:
    """y = mean(relu(conv(x, kernel)), over the image) @ w, with x [batch, 3, 8, 6] and y [batch, 4].

    The kernel [8, 3, 3, 3] is [out, in, height, width]; zeros are around the image.
    """

    kernel: Floats
    w: Floats

    def __call__(self, x: Floats) -> Floats:
        padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
        windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), (2, 3))
        maps: Floats = np.maximum(np.einsum("nchwij,ocij->nohw", windows, self.kernel), 0)
        return maps.mean((2, 3)) @ self.w


def dense(seed: int = 0) -> Dense:
    """The dense net with the weights that a seed gives."""
    rng = np.random.default_rng(seed)
    return Dense(rng.standard_normal((16, 32), np.float32), rng.standard_normal((32, 8), np.float32))


def conv(seed: int = 0) -> Conv:
    """The convolutional net with the weights that a seed gives."""
    rng = np.random.default_rng(seed)
    return Conv(rng.standard_normal((8, 3, 3, 3), np.float32), rng.standard_normal((8, 4), np.float32))
