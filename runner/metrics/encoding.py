"""Embeddings by an encoder in a folder of its own: of texts in PyTorch as it is stored or as an OpenVINO IR, of images
with their texts in PyTorch."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast

import numpy as np

import runner.base.files as fs
from runner.data.feeding.pictures import Pictures
from runner.data.feeding.texts import Texts
from runner.errors import SourceError
from runner.metrics.predicting.pooling import Pooling
from runner.model.feed import Feed, Port
from runner.model.runtime import compile_folder
from runner.model.sentences import SETTINGS

if TYPE_CHECKING:
    import torch

    from runner.base.values import Array

_TOKENS = ("input_ids", "attention_mask", "token_type_ids")
_UNUSED = "pooler"
"""Weights that embeddings of tokens have no need of."""


class Encoder(Protocol):
    """A model that gives embeddings."""

    @property
    def folder(self) -> Path: ...

    @property
    def inputs(self) -> Sequence[Port]: ...

    @property
    def outputs(self) -> Sequence[str]: ...

    def infer(self, feed: Feed) -> list[Array]: ...


class InPyTorch:
    """A Hugging Face folder, in 32 bits.

    Raises:
        SourceError: transformers can't load it, or weights are missing.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.outputs = folder, ("last_hidden_state",)
        self.model = _loaded(folder)
        takes = inspect.signature(self.model.forward).parameters
        self.inputs = [Port(name, (None, None), np.dtype(np.int64)) for name in _TOKENS if name in takes]

    def infer(self, feed: Feed) -> list[Array]:
        """The embedding of each token, [1, tokens, size]."""
        import torch

        with torch.inference_mode():
            found = self.model(**{name: torch.from_numpy(array) for name, array in feed.items()})
        return [found.last_hidden_state.numpy()]


def _loaded(folder: Path) -> torch.nn.Module:
    """A Hugging Face folder's model, in 32 bits."""
    import torch
    from transformers import AutoModel

    try:
        model, report = AutoModel.from_pretrained(
            folder, dtype=torch.float32, use_safetensors=True, local_files_only=True, output_loading_info=True
        )
    except Exception as error:  # whatever the library raises
        message = f"{folder}: transformers can't load the encoder: {error}"
        raise SourceError(message) from error
    if missing := sorted(name for name in report["missing_keys"] if _UNUSED not in name):
        message = f"{folder}: the encoder has no weights for {', '.join(missing[:3])}"
        raise SourceError(message)
    return cast("torch.nn.Module", model)


def opened(folder: Path, source: str) -> tuple[Encoder, dict[str, object]]:
    """An encoder, and what a figure must be told with.

    Args:
        source: `openvino` for an IR, `local` for a Hugging Face folder, which PyTorch runs.

    Raises:
        SourceError: it can't be loaded.
    """
    if source == "openvino":
        compiled = compile_folder(folder)
        return compiled, dict(compiled.runtime)
    return InPyTorch(folder), {name: version(name) for name in ("torch", "transformers")}


class Sentences:
    """Makes one embedding of each text, as sentence-transformers does: pooled and normalized as the folder says."""

    def __init__(self, encoder: Encoder) -> None:
        self.encoder, self.pooling = encoder, Pooling.of(encoder.folder)
        self.texts = Texts(encoder.folder, encoder.inputs)
        self.lower = fs.read_object(encoder.folder / SETTINGS).get("do_lower_case") is True

    def embeddings(self, texts: Iterable[str]) -> Iterator[Array]:
        """One of each, shape [size].

        Raises:
            SourceError: the first output is no embedding of each token.
            StageError: the runtime fails.
        """
        for text in texts:
            said = text.strip().lower() if self.lower else text.strip()
            feed = self.texts.of(self.texts.encode(said))
            yield self.pooling.pooled(self.encoder, feed, self.encoder.infer(feed))

    def told(self) -> dict[str, object]:
        """What a figure must be told with: what was done with the texts so far."""
        return {"pooling": self.pooling.told, **self.texts.told()}


class Captioned:
    """Makes an embedding of each image and one of its text, as a CLIP in a Hugging Face folder does, in 32 bits.

    Raises:
        SourceError: the folder has no model, tokenizer or image processor that can be loaded.
    """

    def __init__(self, folder: Path) -> None:
        self.model = _loaded(folder)
        self.texts = Texts(folder, [Port(name, (None, None), np.dtype(np.int64)) for name in _TOKENS[:2]])
        self.pictures = Pictures(folder, [Port("pixel_values", (None, 3, None, None), np.dtype(np.float32))])

    def embeddings(self, images: Iterable[object], texts: Iterable[str]) -> Iterator[tuple[Array, Array]]:
        """Of each image [height, width, 3] of 8 bits and of its text, shape [size] each."""
        import torch
        from PIL import Image

        for number, (image, text) in enumerate(zip(images, texts, strict=True), 1):
            feed = self.texts.of(self.texts.encode(text)) | self.pictures.of(
                f"row {number}", Image.fromarray(np.asarray(image))
            )
            with torch.inference_mode():
                found = self.model(**{name: torch.from_numpy(array) for name, array in feed.items()})
            yield found.image_embeds[0].numpy(), found.text_embeds[0].numpy()

    def told(self) -> dict[str, object]:
        """As `Sentences.told`."""
        return {**self.pictures.told(), **self.texts.told()}
