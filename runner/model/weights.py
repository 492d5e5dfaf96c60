"""How many weights a model's files hold, read off the headers of safetensors and the sizes of all else."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path

import runner.base.files as fs
from runner.errors import SourceError
from runner.model import listing, pipeline
from runner.model.check import safetensors_files
from runner.model.safetensors import shapes

_EMBEDDING = re.compile(r"embed|wte|wpe|shared\.weight|lm_head|codebook")
"""In the names of embeddings and last layers."""
_SHARED, _HALVES = "shared.weight", ("encoder.", "decoder.")
"""The name of what an encoder and a decoder both begin with ends so; theirs hold these."""
_WIDE = (".onnx", ".onnx_data", ".tflite", ".pb", ".pdmodel", ".pdiparams", ".pt2", ".pt", ".pth")
"""Suffixes of files whose weights are float32 as a rule; of others they are taken to have 16 bits."""
__all__ = ["Weights", "weights_of"]


@dataclass(frozen=True)
class Weights:
    """Of a model.

    Attributes:
        count: how many.
        stored: their bytes in the files.
        embedded: how many are those of embeddings and last layers.
        largest: how many the largest matrix has; 0 where nobody knows.
        shared: how many are stored once, and are in both an encoder and its decoder.
    """

    count: int = 0
    stored: int = 0
    embedded: int = 0
    largest: int = 0
    shared: int = 0

    def parted(self) -> Weights:
        """Those of a model whose encoder and decoder are files of their own."""
        return replace(self, count=self.count + self.shared, embedded=self.embedded + self.shared, shared=0)


def weights_of(paths: Iterable[Path]) -> Weights:
    """The weights in files and folders together; no file is read but for its header."""
    found = [_of_file(file) for path in paths for file in _files(path)]
    return Weights(
        sum(one.count for one in found),
        sum(one.stored for one in found),
        sum(one.embedded for one in found),
        max((one.largest for one in found), default=0),
        sum(one.shared for one in found),
    )


def _files(path: Path) -> Iterator[Path]:
    """The file; of a folder the weights that transformers would load, or all that there is if it would load none."""
    loaded: list[Path] = []
    if path.is_dir():
        with contextlib.suppress(SourceError):  # it is told where the folder is read
            loaded = _loaded(path)
    for file in loaded or (fs.walk(path) if path.is_dir() else [path]):
        if file.is_file():
            yield file


def _loaded(folder: Path) -> list[Path]:
    read = listing.reader(folder)
    if (folder / pipeline.INDEX).is_file():
        return pipeline.weight_files(folder, pipeline.read_index(folder, read))
    return safetensors_files(folder, read)


def _of_file(path: Path) -> Weights:
    size = path.stat().st_size
    if path.suffix == ".safetensors":
        try:
            return _of_shapes(shapes(path), size)
        except SourceError:  # it is told where the file is read
            pass
    return Weights(size // (4 if path.suffix in _WIDE else 2), size)


def _of_shapes(found: dict[str, list[int]], size: int) -> Weights:
    counts = {name: prod(shape) for name, shape in found.items()}
    matrices = {name: count for name, count in counts.items() if len(found[name]) > 1}
    embedded = sum(count for name, count in matrices.items() if _EMBEDDING.search(name))
    halves = all(any(half in name for name in counts) for half in _HALVES)
    shared = sum(count for name, count in matrices.items() if halves and name.endswith(_SHARED))
    return Weights(sum(counts.values()), size, embedded, max(matrices.values(), default=0), shared)
