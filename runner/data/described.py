"""What goes into a part of a model of images and texts, recorded while the whole reads both."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import runner.base.files as fs
from runner.data import read_images
from runner.data.calibration import draw
from runner.data.images import ImageText, opened
from runner.data.recorded import Listening, Wanted
from runner.errors import SourceError
from runner.model.feed import Feed
from runner.model.sight import image_token
from runner.model.trial import load
from runner.recipe.accuracy import RUNTIME

if TYPE_CHECKING:
    import torch

    from runner.base.values import Array

_WRITES = "language_model"
"""The part that gets the embeddings of images and texts; others are called on the way."""
_LARGEST = 600
"""Pixels a side; a larger image is made smaller, as Optimum's own calibration does."""


def of_image_texts(folder: Path, loaded_by: str, part: str, wanted: Wanted) -> Iterator[Feed]:
    """The inputs of a part while the model reads each image with its text, as its processor and chat template put them.

    Args:
        loaded_by: a class of Optimum Intel for models that write about images.

    Raises:
        SourceError: an image can't be read, or the model's processor makes nothing of it and its text.
    """
    images = read_images(wanted.dataset)
    whole = _Whole(folder, loaded_by, part)
    recorded = 0
    for index in draw(len(images), wanted.count, wanted.seed):
        found = whole.fed(images[index])[: wanted.count - recorded]
        yield from found
        recorded += len(found)


class _Whole:
    """A model that writes about images, one part of which is listened to, and its processor."""

    def __init__(self, folder: Path, loaded_by: str, part: str) -> None:
        from transformers import AutoProcessor

        self.model = load(folder, loaded_by, ov_config=dict(RUNTIME))
        self.token = image_token(fs.read_object(folder / "config.json"))
        try:
            self.processor = AutoProcessor.from_pretrained(folder)
        except Exception as error:  # whatever these libraries raise
            message = f"{folder}: its processor can't be loaded: {error}"
            raise SourceError(message) from error
        self.writes = part == _WRITES
        self.heard: list[Feed] = []
        component = getattr(self.model, part)
        component.compile()
        component.request = (_Hearing if self.writes else Listening)(component.request, self.heard)

    def fed(self, one: ImageText) -> list[Feed]:
        """What goes into the part: one feed, or one for each piece into which an image is cut."""
        self.heard.clear()
        image = opened(one)
        image.thumbnail((_LARGEST, _LARGEST))
        try:
            self._read(self._prepared(one, image))
        except SourceError:
            raise
        except Exception as error:  # whatever these libraries raise
            message = f"{one.where}: the model can't read this image with this text: {error}"
            raise SourceError(message) from error
        return [single for several in self.heard for single in _singly(several)]

    def _prepared(self, one: ImageText, image: object) -> Mapping[str, torch.Tensor]:
        """What the processor makes of an image and a text.

        Raises:
            SourceError: it leaves out the image.
        """
        tokenizer = getattr(self.processor, "tokenizer", None)
        inputs: Mapping[str, torch.Tensor] = self.model.preprocess_inputs(
            text=one.text, image=image, processor=self.processor, tokenizer=tokenizer, config=self.model.config
        )
        if self.token is not None and not (inputs["input_ids"] == self.token).any():
            message = f"{one.where}: the model's processor leaves the image out of the text"
            raise SourceError(message, hint="Its chat template has to write the token in whose place the image stands.")
        return inputs

    def _read(self, inputs: Mapping[str, torch.Tensor]) -> None:
        """Let the model read, up to the part."""
        if not self.writes:
            self.model.get_multimodal_embeddings(**inputs)
            return
        with suppress(_Heard):
            self.model(**inputs)


class _Heard(Exception):
    """All that is to be known was heard."""


class _Hearing(Listening):
    """A language model that keeps what it is fed, and need not compute; each text is its own beginning."""

    def start_async(self, inputs: Mapping[str, Array], *args: object, **options: object) -> object:
        self.forgotten = None
        self.hear(inputs)
        raise _Heard


def _singly(feed: Feed) -> list[Feed]:
    """Pieces of images one by one, where nothing but pieces is fed; the rest as it is."""
    several = len(feed) == 1 and all(array.ndim == 4 for array in feed.values())
    if not several:
        return [feed]
    return [{name: array[index : index + 1]} for name, array in feed.items() for index in range(len(array))]
