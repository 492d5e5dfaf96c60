"""One use of a finished model that writes about images, as its users load it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import runner.base.files as fs
from runner.base.values import whole
from runner.model.parts import Model
from runner.model.trial import by_optimum, check_finite, load, tried
from runner.registry.tasks import Used

if TYPE_CHECKING:
    from runner.base.values import Array
    from runner.model.feed import Feed

_IMAGE_TOKEN = ("image_token_index", "image_token_id")
TILES = "image_grid_pinpoints"
"""What LLaVA-NeXT and its kin have, which cut an image into pieces and ask for its size."""
_PLACES = "image_position_ids"
"""What Gemma 4 takes beside an image that is cut into patches: column and row of each."""
_POOLED = {"max_soft_tokens": 280, "pooling_kernel_size": 3}
"""How its processor says how many places an image takes at most, and how many patches become one in each direction."""
_QUESTION = 4
"""Tokens of the text beside the image."""


def described(folder: Path, loaded_by: str) -> Used:
    """One token by a class of Optimum Intel, about an image of the size that the model takes, and a text.

    Where the images of an architecture are fed in another way than as one array, its vision embeddings are inferred by
    OpenVINO, and the token is about a text alone.

    Raises:
        SourceError: the folder can't be loaded.
        StageError: the model fails, or its outputs aren't finite numbers.
    """
    import numpy as np
    import torch

    from runner.model.example import told

    image = blank(folder)
    places = tried(folder, lambda: _embedded(folder, image))
    config = fs.read_object(folder / "config.json")
    token = image_token(config)
    plain = token is not None and image.keys() <= {"pixel_values", _PLACES} and TILES not in config
    text = np.zeros((1, _QUESTION), np.int64)
    if plain:
        text = np.concatenate([np.full((1, places), token), text], axis=1)
    feed = {"input_ids": text, "attention_mask": np.ones_like(text), **(image if plain else {})}
    heard: list[torch.Tensor] = []

    def listen(_: object, scores: torch.Tensor) -> torch.Tensor:
        heard.append(scores)
        return scores

    tensors = {name: torch.from_numpy(array) for name, array in feed.items()}
    tried(
        folder,
        lambda: load(folder, loaded_by).generate(**tensors, max_new_tokens=1, logits_processor=[listen]),
    )
    for scores in heard:  # a token that must not come has minus infinity
        check_finite(folder, "logits", scores[scores != -math.inf].numpy())
    about = f"{told(image)}, which take {places} places, and a text" if plain else "a text"
    return Used(by_optimum(), f"wrote one token with {loaded_by} about {about}")


def blank(folder: Path) -> Feed:
    """An image for the vision embeddings of a finished model, of the size that its processor makes."""
    from runner.model.example import example
    from runner.model.feed import ports

    image = example(folder, ports(Model.of(folder).read("vision_embeddings")))
    return _patches(folder, image) if _PLACES in image else image


def _patches(folder: Path, image: Feed) -> Feed:
    """An image of Gemma 4: the largest square of which its processor makes patches, and what it fills up with."""
    import numpy as np

    own, shared = (fs.read_object(folder / name) for name in ("preprocessor_config.json", "processor_config.json"))
    inner = shared.get("image_processor")
    said = {**(inner if isinstance(inner, Mapping) else {}), **own}
    tokens, pooled = (whole(said.get(name, usual)) for name, usual in _POOLED.items())
    edge, count = math.isqrt(tokens) * pooled, tokens * pooled**2
    rows, columns = np.divmod(np.arange(edge**2), edge)
    places = np.full((1, count, 2), -1, np.int64)
    places[0, : edge**2] = np.stack([columns, rows], axis=-1)
    return {"pixel_values": np.zeros((1, count, image["pixel_values"].shape[-1]), np.float32), _PLACES: places}


def _embedded(folder: Path, image: Mapping[str, Array]) -> int:
    """Embed an image by OpenVINO; how many places of a text it takes."""
    import openvino as ov

    found = ov.compile_model(Model.of(folder).read("vision_embeddings"), "CPU")(dict(image))
    for output, values in found.items():
        check_finite(folder, output.any_name, values)
    return int(math.prod(found[0].shape[:-1]))


def image_token(config: Mapping[str, object]) -> int | None:
    """The token in whose places an image stands."""
    return next((found for name in _IMAGE_TOKEN if isinstance(found := config.get(name), int)), None)
