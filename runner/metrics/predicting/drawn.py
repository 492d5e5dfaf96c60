"""Images that a pipeline of diffusers draws of texts, by a class of Optimum Intel, one to each row.

Noise is drawn by PyTorch on the CPU, of a seed that follows from the recipe's and the row's number, so that two models
begin with the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import version
from typing import TYPE_CHECKING, Protocol

import numpy as np

from runner.base.values import whole
from runner.errors import StageError
from runner.metrics.predicting import Asked, Batch, Given
from runner.model.runtime import effective
from runner.model.trial import load, tried
from runner.registry.metric_settings import DRAWING

if TYPE_CHECKING:
    from runner.base.values import Array
    from runner.data.table import Row

LOADED_BY = "OVPipelineForText2Image"


class Pipeline(Protocol):
    """A pipeline of diffusers."""

    def __call__(self, prompt: str, **options: object) -> object: ...

    def set_progress_bar_config(self, **options: object) -> None: ...


def predict(asked: Asked) -> Given:
    """As `runner.metrics.predicting.Predictor` says; the further column `prompts` has the texts."""
    pipe: Pipeline = load(asked.folder, LOADED_BY, ov_config=dict(asked.runtime))
    pipe.set_progress_bar_config(disable=True)
    stated = {name: asked.settings[name] for name in DRAWING if asked.settings[name] is not None}
    libraries = ("diffusers", "optimum-intel", "torch")
    protocol: dict[str, object] = {
        "pipeline": type(pipe).__name__,
        **stated,
        "noise": f"torch.Generator of the CPU, of seed {asked.settings['seed']} + the row's number from 0",
        "runtime": effective(asked.runtime) | {name: version(name) for name in libraries},
    }
    return Given(asked.count, _rows(asked, pipe, stated, protocol), protocol, "image", extra={"prompts": "lines"})


def _rows(asked: Asked, pipe: Pipeline, stated: dict[str, object], protocol: dict[str, object]) -> Iterator[Batch]:
    seed, plain = whole(asked.settings["seed"]), 0
    for number, row in enumerate(asked.rows()):
        prompt = str(row.values["prompt" if "prompt" in row.values else "text"])
        image = _drawn(asked, pipe, row, prompt, seed + number, stated)
        plain += bool((image == image[:1, :1]).all())
        protocol |= {"height": image.shape[0], "width": image.shape[1], "images_of_one_colour": plain}
        yield image[None], {"prompts": [prompt]}


def _drawn(asked: Asked, pipe: Pipeline, row: Row, prompt: str, seed: int, stated: dict[str, object]) -> Array:
    """An image [height, width, 3] of whole numbers from 0 to 255, rounded as diffusers does.

    Raises:
        StageError: the pipeline fails, or the image has values that aren't finite numbers.
    """
    import torch

    noise = torch.Generator("cpu").manual_seed(seed % 2**64)
    drawn = tried(asked.folder, lambda: pipe(prompt, generator=noise, output_type="np", **stated))
    image: Array = np.asarray(drawn.images[0])
    if not np.isfinite(image).all():
        message = f"{asked.folder}: the image has values that aren't finite numbers, first for {row.where}"
        raise StageError(message)
    return (image * 255).round().astype(np.uint8)
