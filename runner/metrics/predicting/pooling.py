"""What makes one embedding of a text's tokens: as the modules of sentence-transformers say, else the mean of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

import runner.base.files as fs
from runner.base.documents import read_json
from runner.base.values import listing, mapping
from runner.errors import SourceError
from runner.model.sentences import STEPS

if TYPE_CHECKING:
    from runner.base.values import Array
    from runner.model.feed import Feed

_WHOLE = ("sentence_embedding", "image_embeds", "text_embeds", "embeddings")
"""Outputs that are an embedding of the whole already."""
_OLD = {
    "pooling_mode_cls_token": "cls",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_mean_sqrt_len_tokens": "mean_sqrt_len_tokens",
    "pooling_mode_weightedmean_tokens": "weightedmean",
    "pooling_mode_lasttoken": "lasttoken",
}
"""How folders of earlier versions of sentence-transformers name the modes."""


class Encodes(Protocol):
    """A model that has embeddings among its outputs, such as a compiled one."""

    @property
    def folder(self) -> Path: ...

    @property
    def outputs(self) -> Sequence[str]: ...


@dataclass(frozen=True)
class Pooling:
    """How embeddings of tokens become one.

    Attributes:
        modes: of sentence-transformers' `Pooling`; what they give is put one behind the other.
        normalized: whether the result is made one long.
        said: whether the folder says so.
    """

    modes: tuple[str, ...] = ("mean",)
    normalized: bool = False
    said: bool = False

    @classmethod
    def of(cls, folder: Path) -> Pooling:
        """That of a folder.

        Raises:
            SourceError: it has a step that is not done here.
        """
        if not (folder / STEPS).is_file():
            return cls()
        modes: tuple[str, ...] = ("mean",)
        normalized = False
        for step in listing(read_json(folder / STEPS)):
            kind = str(mapping(step).get("type", "")).rpartition(".")[2]
            if kind == "Pooling":
                modes = _modes(folder, fs.read_object(folder / str(mapping(step)["path"]) / "config.json"))
            elif kind == "Normalize":
                normalized = True
            elif kind not in ("Transformer", "Dropout"):
                message = f"{folder}: {STEPS} has a step {kind}, which isn't known here"
                raise SourceError(message, hint="Known are Transformer, Pooling, Normalize and Dropout.")
        return cls(modes, normalized, said=True)

    @property
    def told(self) -> str:
        """In words."""
        normalized = ", normalized" if self.normalized else ""
        return f"{' and '.join(self.modes)}{normalized}{'' if self.said else ', for the folder says none'}"

    def pooled(self, compiled: Encodes, feed: Feed, outputs: list[Array]) -> Array:
        """The embedding of one row, shape [size].

        Raises:
            SourceError: the first output is no embedding of each token.
        """
        whole = next((compiled.outputs.index(name) for name in _WHOLE if name in compiled.outputs), None)
        tokens = outputs[whole or 0].astype(np.float32)
        if tokens.ndim == 2 and len(tokens) == 1:
            return self._normalized(tokens[0])
        if tokens.ndim != 3 or len(tokens) != 1:
            message = f"{compiled.folder}: the first output has shape {list(tokens.shape)}, not [1, tokens, size]"
            raise SourceError(message)
        mask = feed.get("attention_mask")
        kept = tokens[0] if mask is None or mask.shape[1] != tokens.shape[1] else tokens[0][mask[0] != 0]
        return self._normalized(np.concatenate([_pool(kept, mode) for mode in self.modes]))

    def _normalized(self, found: Array) -> Array:
        """PyTorch's `normalize`: a vector of zeros stays one."""
        result: Array = found / max(float(np.linalg.norm(found)), 1e-12) if self.normalized else np.array(found)
        return result


def _modes(folder: Path, config: Mapping[str, object]) -> tuple[str, ...]:
    stated = config.get("pooling_mode")
    modes = tuple(_listed(stated)) or tuple(mode for key, mode in _OLD.items() if config.get(key)) or ("mean",)
    if unknown := [mode for mode in modes if mode not in _OLD.values()]:
        message = f"{folder}: pooling {', '.join(unknown)} isn't known here"
        raise SourceError(message, hint=f"Known are {', '.join(_OLD.values())}.")
    return modes


def _listed(stated: object) -> Iterator[str]:
    if isinstance(stated, str):
        yield stated
    elif isinstance(stated, list):
        yield from map(str, stated)


def _pool(tokens: Array, mode: str) -> Array:
    """The tokens [tokens, size] as one, by a mode of sentence-transformers."""
    if mode in ("cls", "lasttoken"):
        return np.array(tokens[0 if mode == "cls" else -1])
    if mode == "max":
        return np.array(tokens.max(0))
    if mode == "weightedmean":
        weights = np.arange(1, len(tokens) + 1, dtype=np.float32)[:, None]
        return np.array((tokens * weights).sum(0) / weights.sum())
    return np.array(tokens.sum(0) / (len(tokens) if mode == "mean" else np.sqrt(len(tokens))))
