"""Random tensors by name, and safetensors files of them, for the model folders of `geometry`."""

from __future__ import annotations

from pathlib import Path

import numpy as np

Tensors = dict[str, np.ndarray]


class Weights:
    """Random tensors by name, cut from one pool of normal values so that large models take no longer than a copy."""

    def __init__(self, seed: int, dtype: str) -> None:
        self._rng = np.random.default_rng(seed)
        self._pool = (self._rng.standard_normal(1 << 20, dtype=np.float32) * 0.02).astype(dtype)
        self.dtype = np.dtype(dtype)
        self.tensors: Tensors = {}

    def normal(self, name: str, *shape: int) -> None:
        """A tensor of `shape`, each row block from another place of the pool."""
        size = int(np.prod(shape))
        flat = np.empty(size, self.dtype)
        step = len(self._pool) // 2
        for start in range(0, size, step):
            offset = int(self._rng.integers(0, step))
            stop = min(start + step, size)
            flat[start:stop] = self._pool[offset : offset + stop - start]
        self.tensors[name] = flat.reshape(shape)

    def norm(self, name: str, size: int, *, bias: bool = True) -> None:
        """The weight (about one) and bias (about zero) of a normalisation layer."""
        self.normal(f"{name}.weight", size)
        self.tensors[f"{name}.weight"] += self.dtype.type(1.0)
        if bias:
            self.normal(f"{name}.bias", size)

    def linear(self, name: str, rows: int, columns: int) -> None:
        """The weight of [rows, columns] and the bias of [rows] of a linear layer."""
        self.normal(f"{name}.weight", rows, columns)
        self.normal(f"{name}.bias", rows)


def save(tensors: Tensors, path: Path) -> None:
    from safetensors.numpy import save_file

    save_file(tensors, str(path), metadata={"format": "pt"})
