"""What the original of a model of images and texts gives, part by part, while it reads a text about an image."""

from __future__ import annotations

import inspect
import math
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import runner.base.files as fs
from runner.export.given import Given, Outputs, trials
from runner.model.feed import Feed, Port, ports
from runner.model.parts import Model
from runner.model.sight import TILES, blank, image_token
from runner.model.varied import PAST, TOKENS, varied

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

    from runner.base.values import Array

VISION, TEXT, LANGUAGE, EACH_LAYER = (
    "vision_embeddings",
    "text_embeddings",
    "language_model",
    "text_embeddings_per_layer",
)
_KINDS = ("token_type_ids", "mm_token_type_ids")
"""What tells an original the places of images; the first is the name that a converted model has for it."""
_PROJECTORS = ("multi_modal_projector", "embed_vision")
"""Modules that make of an image what stands among the embeddings of a text."""
_BEFORE = 2
"""Tokens of the text in front of the image."""


class Heard(NamedTuple):
    """What a part of the original gave: the part, what it was fed, and its outputs, all by the names of the IR."""

    part: str
    fed: Feed
    wanted: Outputs


def listened(model: PreTrainedModel, whole: Model, given: Given) -> Iterator[Heard]:
    """All parts on images of the sizes that the original takes, and on two texts, of which the longer are without one.

    The parts get what the original's own get, so that what differs in one is told of that one.
    """
    original = _Seeing(model, whole.folder)
    seen = list(trials(original.see, _images(whole), given))
    for image, wanted in seen:
        yield Heard(VISION, image, wanted)
    if seen:
        inputs = {part: ports(whole.read(part)) for part in whole.parts if part != VISION}
        yield from original.read(TOKENS[0], seen[0][0], inputs)
        yield from original.read(TOKENS[1], None, inputs)


class _Seeing:
    """A model that writes about images, in PyTorch, whose parts are listened to."""

    def __init__(self, model: PreTrainedModel, folder: Path) -> None:
        import numpy as np

        self.model, self.config = model, fs.read_object(folder / "config.json")
        self.takes = inspect.signature(model.forward).parameters
        self.drawn = np.random.default_rng(0)
        self.heard: dict[str, list[dict[str, Array]]] = {}
        body = model.model
        for name in _PROJECTORS:
            if hasattr(body, name):
                getattr(body, name).register_forward_hook(partial(self._hear_output, VISION, "last_hidden_state"))
        model.get_input_embeddings().register_forward_hook(partial(self._hear_output, TEXT, "inputs_embeds"))
        body.language_model.register_forward_pre_hook(self._hear_inputs, with_kwargs=True)

    def _hear_output(self, part: str, name: str, _: object, given: tuple[object, ...], output: object) -> None:
        ids = {"input_ids": given[0]} if part == TEXT and given else {}
        self.heard.setdefault(part, []).append(_arrays({**ids, name: output}))

    def _hear_inputs(self, _: object, __: object, given: Mapping[str, object]) -> None:
        self.heard.setdefault(LANGUAGE, []).append(_arrays(given))

    def see(self, image: Feed) -> Outputs:
        """What the original makes of an image that is fed as the converted model takes it."""
        self.heard.clear()
        self._features(image)
        (only,) = self.heard[VISION]
        return only

    def _features(self, image: Feed) -> Iterable[torch.Tensor]:
        given = self.model.get_image_features(**_tensors(self._own(image)), return_dict=True)
        return given.pooler_output  # type: ignore[no-any-return]

    def _own(self, image: Feed) -> Feed:
        """An image as the original takes it: pieces lie behind one another, with the size of what they were cut of."""
        import numpy as np

        size = _tiled(self.config)
        if size is None:
            return image
        return {"pixel_values": np.expand_dims(image["pixel_values"], 0), "image_sizes": np.array([size])}

    def read(self, tokens: int, image: Feed | None, inputs: Mapping[str, Iterable[Port]]) -> Iterator[Heard]:
        """What the parts gave while the whole reads a text about an image, or two texts about none.

        Args:
            inputs: part -> what the converted one takes.
        """
        import numpy as np

        ids = self._ids(tokens, image)
        kinds = (ids == image_token(self.config)).astype(np.int64)
        fed = {"input_ids": ids, "attention_mask": np.ones_like(ids), **(self._own(image) if image else {})}
        told = {name: kinds for name in _KINDS if name in self.takes}
        self.heard.clear()
        given = self.model(**_tensors({**fed, **told}), use_cache=False, return_dict=True)
        known = {**self.heard[LANGUAGE][0], **fed, _KINDS[0]: kinds}
        yield from self._given(known, inputs, {"logits": given.logits.float().numpy()})

    def _given(self, known: Feed, inputs: Mapping[str, Iterable[Port]], logits: Outputs) -> Iterator[Heard]:
        embedded = self.heard[TEXT][0]
        yield Heard(TEXT, _fed(inputs[TEXT], embedded), {"inputs_embeds": embedded["inputs_embeds"]})
        if EACH_LAYER in inputs and "per_layer_inputs" in known:
            added = {"text_embeds_per_layer": known["per_layer_inputs"]}
            yield Heard(EACH_LAYER, _fed(inputs[EACH_LAYER], known), added)
        yield Heard(LANGUAGE, _fed(inputs[LANGUAGE], known), logits)

    def _ids(self, tokens: int, image: Feed | None) -> Array:
        """Random tokens, none of which stands for something else; those of the image are in their midst."""
        import numpy as np

        size = self.model.get_input_embeddings().weight.shape[0]
        ids = self.drawn.integers(0, size, (1 if image else 2, tokens))
        special = [number for name, number in self.config.items() if _is_special(name) and isinstance(number, int)]
        usual = next(number for number in range(size) if number not in special)
        ids = np.where(np.isin(ids, special), usual, ids)
        if image is None:
            return ids
        count = sum(math.prod(one.shape[:-1]) for one in self._features(image))
        places = np.full((1, count), image_token(self.config))
        return np.concatenate([ids[:, :_BEFORE], places, ids[:, _BEFORE:]], axis=1)


def _is_special(name: str) -> bool:
    return name.endswith(("_token_id", "_token_index"))


def _images(whole: Model) -> Iterator[Feed]:
    """Random images for the converted vision embeddings, of one size, then of another one."""
    import numpy as np

    config = fs.read_object(whole.folder / "config.json")
    drawn, size = np.random.default_rng(0), _tiled(config)
    usual = blank(whole.folder)
    patches = usual.keys() != {"pixel_values"}
    for feed in [usual] if patches else varied(whole.folder, ports(whole.read(VISION))):
        _, *shape = feed["pixel_values"].shape
        pieces = 1 if size is None else _pieces(size, shape[-1])
        yield {**feed, "pixel_values": drawn.standard_normal((pieces, *shape), np.float32)}


def _tiled(config: Mapping[str, object]) -> tuple[int, int] | None:
    """Height and width of an image that an architecture cuts into pieces; None where it cuts none."""
    known = config.get(TILES)
    return (known[0][0], known[0][1]) if isinstance(known, list) else None


def _pieces(size: tuple[int, int], side: int) -> int:
    """How many pieces of an image there are, the image as a whole being one more."""
    return math.prod(-(-one // side) for one in size) + 1


def _fed(inputs: Iterable[Port], known: Feed) -> Feed:
    """What a converted part takes, of all that is known of the whole's reading."""
    import numpy as np

    count, tokens = known["inputs_embeds" if "inputs_embeds" in known else "input_ids"].shape[:2]
    usual: Feed = {
        "position_ids": np.broadcast_to(np.arange(tokens), (count, tokens)),
        "beam_idx": np.arange(count, dtype=np.int32),
    }
    whole = {**known, **usual, **{port.name: _none_past(port, count) for port in inputs if port.name.startswith(PAST)}}
    return {port.name: np.ascontiguousarray(whole[_called(port)], port.dtype) for port in inputs}


def _called(port: Port) -> str:
    """What an input is called everywhere else: text embeddings have one, which Optimum calls `input`."""
    return "input_ids" if port.name == "input" else port.name


def _none_past(port: Port, count: int) -> Array:
    """A cache that holds nothing."""
    import numpy as np

    return np.zeros([port.fitted(axis, count if axis == 0 else 0) for axis in range(len(port.shape))], port.dtype)


def _tensors(feed: Feed) -> dict[str, torch.Tensor]:
    import torch

    return {name: torch.from_numpy(array) for name, array in feed.items()}


def _arrays(given: Mapping[str, object]) -> Outputs:
    import torch

    tensors = {name: value for name, value in given.items() if isinstance(value, torch.Tensor)}
    return {name: (value.float() if value.is_floating_point() else value).numpy() for name, value in tensors.items()}
