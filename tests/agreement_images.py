"""What a model of images and texts and its original are both asked: a random image, in the middle of a text."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import numpy as np

import runner.base.files as fs
from runner.model.sight import blank, image_token

_TILES = "image_grid_pinpoints"
_KINDS = ("token_type_ids", "mm_token_type_ids")
"""What tells an image's places from a text's."""
_SPECIAL = 3
"""Tokens that a text doesn't hold."""


def about(original: Any, source: Path, published: Path, random: np.random.Generator) -> dict[str, Any]:
    """The inputs of both.

    Args:
        original: the PyTorch model.
        source: its folder.
        published: that of the finished model.
    """
    image = tiles(source, random) if _TILES in fs.read_object(source / "config.json") else noise(published, random)
    token = image_token(fs.read_object(source / "config.json"))
    assert token is not None
    text = random.integers(_SPECIAL, token - 5, (1, 6))
    places = np.full((1, count(original, image)), token)
    ids = np.concatenate([text[:, :2], places, text[:, 2:]], axis=1)
    takes = inspect.signature(original.forward).parameters
    kinds = {name: (ids == token).astype(np.int64) for name in _KINDS if name in takes}
    return {"input_ids": ids, "attention_mask": np.ones_like(ids), **image, **kinds}


def noise(published: Path, random: np.random.Generator) -> dict[str, Any]:
    """Random pixels, of the size that the model takes."""
    image = blank(published)
    return {**image, "pixel_values": random.random(image["pixel_values"].shape, np.float32)}


def tiles(source: Path, random: np.random.Generator) -> dict[str, Any]:
    """A random image, cut into pieces by the processor: as many in height as in width, which Optimum Intel confuses."""
    from transformers.models.llava_next.image_processing_pil_llava_next import LlavaNextImageProcessorPil

    pixels = random.integers(0, 255, (60, 60, 3), np.uint8)
    return dict(LlavaNextImageProcessorPil.from_pretrained(source)(pixels, return_tensors="np"))


def count(original: Any, image: dict[str, Any]) -> int:
    """How many places of a text the image takes, by the original."""
    import torch

    with torch.no_grad():
        found = original.get_image_features(**{name: torch.from_numpy(array) for name, array in image.items()})
    return sum(one.reshape(-1, one.shape[-1]).shape[0] for one in found.pooler_output)
