"""An input that a model really takes: of the sizes that its configuration and its processor's tell."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import runner.base.files as fs

if TYPE_CHECKING:
    from runner.model.feed import Feed, Port

_TOKENS, _SECOND, _IMAGE = 16, 16_000, 224


def example(folder: Path, inputs: Iterable[Port]) -> Feed:
    """Zeros for each input; a text counts its tokens and has no padding, an image no border.

    Args:
        folder: of a finished model; its config.json and preprocessor_config.json tell sizes that the IR leaves open.
    """
    import numpy as np

    config = fs.read_object(folder / "config.json")
    processor = fs.read_object(folder / "preprocessor_config.json")
    ports = list(inputs)
    feed: Feed = {}
    tokens = _tokens(ports, config)
    for port in ports:
        shape = sizes(port, config, processor, tokens)
        array = np.zeros(shape, port.dtype)
        if port.name.endswith(("attention_mask", "pixel_mask")):
            array += 1
        elif port.name == "position_ids":
            array += np.arange(shape[-1], dtype=port.dtype)
        feed[port.name] = array
    return feed


def told(feed: Feed) -> str:
    """`zeros of shape [1, 16], [1, 16]`."""
    return "zeros of shape " + ", ".join(str(list(array.shape)) for array in feed.values())


def _tokens(ports: Iterable[Port], config: Mapping[str, object]) -> int:
    """How many tokens a text has: what `input_ids` was made for, else no more than the model has positions."""
    positions = (_number(config.get(name), _TOKENS) for name in ("max_position_embeddings", "n_positions"))
    usual = min(_TOKENS, *positions)
    texts = (port for port in ports if port.name == "input_ids" and port.shape)
    return next((port.fitted(len(port.shape) - 1, usual) for port in texts), usual)


def sizes(
    port: Port, config: Mapping[str, object], processor: Mapping[str, object], tokens: int = _TOKENS
) -> tuple[int, ...]:
    """A port's shape with its open sizes filled by usual ones, or by those of its range that are nearest."""
    usual = _usual(port, config, processor, tokens)
    return tuple(port.fitted(axis, size) for axis, size in enumerate(usual))


def _usual(port: Port, config: Mapping[str, object], processor: Mapping[str, object], tokens: int) -> tuple[int, ...]:
    """What fills a port: 1 for the batch, else what its name and rank say."""
    rank = len(port.shape)
    if port.name == "pixel_values" and rank == 4:
        channels = _number(_first(config, "num_channels"), 3)
        last = port.shape[3] is not None and port.shape[1] is None
        return (1, *_image(config, processor), channels) if last else (1, channels, *_image(config, processor))
    if port.name == "pixel_mask" and rank == 3:
        return (1, *_image(config, processor))
    if port.name == "input_features" and rank == 3:  # Whisper's spectrogram, of which the encoder halves the length
        length = 2 * _number(config.get("max_source_positions"), 1500)
        return (1, _number(config.get("num_mel_bins"), 80), length)
    if port.name == "input_values" and rank == 3:  # a spectrogram, time first
        return (1, _number(config.get("max_length"), 1024), _number(config.get("num_mel_bins"), 128))
    if port.name == "input_values" or (port.name == "attention_mask" and processor.get("sampling_rate")):
        return (1, _number(processor.get("sampling_rate"), _SECOND))[:rank]
    return tuple(1 if axis == 0 else _IMAGE if rank >= 4 else tokens for axis in range(rank))


def _image(config: Mapping[str, object], processor: Mapping[str, object]) -> tuple[int, int]:
    """Height and width: what the processor makes, or what the network was built for."""
    cropped = processor.get("crop_size") if processor.get("do_center_crop") else None
    for said in (cropped, processor.get("size"), _first(config, "image_size")):
        found = _height_width(said)
        if found:
            return found
    return _IMAGE, _IMAGE


def _height_width(said: object) -> tuple[int, int] | None:
    if isinstance(said, int) and said > 0:
        return said, said
    if isinstance(said, list) and len(said) == 2:
        return _number(said[0], _IMAGE), _number(said[1], _IMAGE)
    if isinstance(said, dict) and ("shortest_edge" in said or {"height", "width"} <= said.keys()):
        edge = _number(said.get("shortest_edge"), _IMAGE)
        return _number(said.get("height"), edge), _number(said.get("width"), edge)
    return None


def _first(config: Mapping[str, object], name: str) -> Any:
    """A setting of the configuration, or of the part of it that is about vision."""
    vision = config.get("vision_config")
    return config.get(name, vision.get(name) if isinstance(vision, Mapping) else None)


def _number(said: object, usual: int) -> int:
    return said if isinstance(said, int) and not isinstance(said, bool) and said > 0 else usual
