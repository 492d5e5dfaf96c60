"""Random tensors by name, and safetensors files of them, for the model folders of `geometry`."""

from __future__ import annotations

import json
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

    def save(self, folder: Path) -> None:
        """Write them into a model's folder."""
        save(self.tensors, folder / "model.safetensors")


class Shards(Weights):
    """Of these, no more are in memory at a time than go into one file of some bytes."""

    def __init__(self, folder: Path, most: int, seed: int, dtype: str) -> None:
        super().__init__(seed, dtype)
        self.folder, self.most = folder, most
        self.files: list[dict[str, int]] = []

    def normal(self, name: str, *shape: int) -> None:
        """As of `Weights`; what came before is written first where it fills a file."""
        if sum(tensor.nbytes for tensor in self.tensors.values()) >= self.most:
            self._flush()
        super().normal(name, *shape)

    def _flush(self) -> None:
        save(self.tensors, self.folder / f"{len(self.files)}.part")
        self.files.append({name: tensor.nbytes for name, tensor in self.tensors.items()})
        self.tensors = {}

    def save(self, folder: Path) -> None:
        """Write the rest, and the index that says which file has what."""
        self._flush()
        where: dict[str, str] = {}
        for number, sizes in enumerate(self.files):
            file = f"model-{number + 1:05}-of-{len(self.files):05}.safetensors"
            (folder / f"{number}.part").rename(folder / file)
            where |= dict.fromkeys(sizes, file)
        total = sum(size for sizes in self.files for size in sizes.values())
        index = {"metadata": {"total_size": total}, "weight_map": where}
        (folder / "model.safetensors.index.json").write_text(json.dumps(index), encoding="utf-8")


def save(tensors: Tensors, path: Path) -> None:
    from safetensors.numpy import save_file

    save_file(tensors, str(path), metadata={"format": "pt"})
