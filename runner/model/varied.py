"""Inputs of two lengths or sizes, drawn from a fixed seed: they show a model that was frozen to an example."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import runner.base.files as fs
from runner.model.example import sizes

if TYPE_CHECKING:
    import numpy as np

    from runner.base.values import Array
    from runner.model.feed import Feed, Port

TOKENS = (6, 3)
"""Of a text alone, and of each of two. Few: OpenVINO's CPU plug-in packs all weights anew for seven rows and more."""
_WIDER, _SHORTER = 32, 0.75
"""Pixels that the second image is larger by, in both directions; the second sound's share of the first."""
_VOCABULARY = 100
_TEXT = ("input_ids", "decoder_input_ids")
PAST = "past_key_values"


def varied(folder: Path, inputs: Iterable[Port]) -> list[Feed]:
    """A feed of the sizes that the model is made for, and others where the model leaves sizes open, the likeliest last.

    A text has 6 tokens, then two texts have 3. Not every model takes the others: ask the original.

    Args:
        folder: of a finished model; its config.json and preprocessor_config.json tell sizes that the IR leaves open.
    """
    config = fs.read_object(folder / "config.json")
    processor = fs.read_object(folder / "preprocessor_config.json")
    ports = list(inputs)
    found = [_shapes(ports, config, processor, kinds) for kinds in ((), ("text", "other"), ("text",))]
    return [_filled(ports, shapes, config) for index, shapes in enumerate(found) if shapes not in found[:index]]


def _shapes(
    ports: Iterable[Port], config: Mapping[str, object], processor: Mapping[str, object], kinds: Collection[str]
) -> list[tuple[int, ...]]:
    """The shape of each port; of those of some kinds other ones than usual, where they are open."""
    tokens = min([TOKENS["text" in kinds], *_positions(config)])
    usual = [sizes(port, config, processor, tokens) for port in ports]
    return [_shape(port, shape, tokens, kinds) for port, shape in zip(ports, usual, strict=True)]


def _positions(config: Mapping[str, object]) -> list[int]:
    told = (config.get(name) for name in ("max_position_embeddings", "n_positions"))
    return [one for one in told if isinstance(one, int) and one > 0]


def _shape(port: Port, usual: tuple[int, ...], tokens: int, kinds: Collection[str]) -> tuple[int, ...]:
    wanted = list(usual)
    if port.name.startswith(PAST):  # nothing is past
        wanted[1:] = [0] * len(wanted[1:])
    if _is_text(port, usual, tokens):
        if "text" in kinds:
            wanted[0] = 2
    elif "other" in kinds and port.name in ("pixel_values", "pixel_mask"):
        wanted[-2:] = [size + _WIDER for size in usual[-2:]]
    elif "other" in kinds and port.name in ("input_values", "input_features", "attention_mask"):
        axis = -1 if port.name == "input_features" else 1
        wanted[axis] = int(usual[axis] * _SHORTER)
    elif "other" in kinds and wanted:
        wanted[0] = 2
    return tuple(port.fitted(axis, size) for axis, size in enumerate(wanted))


def _is_text(port: Port, usual: tuple[int, ...], tokens: int) -> bool:
    """Whether a port has to do with tokens: it is as long as they are, or a decoder's own."""
    if port.name == "beam_idx" or port.name.startswith(PAST):
        return True
    return port.dtype.kind in "iub" and tokens in usual[1:]


def _filled(ports: Iterable[Port], shapes: Iterable[tuple[int, ...]], config: Mapping[str, object]) -> Feed:
    import numpy as np

    drawn = np.random.default_rng(0)
    return {port.name: _values(port, shape, config, drawn) for port, shape in zip(ports, shapes, strict=True)}


def _values(port: Port, shape: tuple[int, ...], config: Mapping[str, object], drawn: np.random.Generator) -> Array:
    import numpy as np

    if port.name in _TEXT:
        return _ended(drawn.integers(0, _vocabulary(config), shape), config).astype(port.dtype)
    if port.name.endswith(("attention_mask", "pixel_mask")):
        return np.ones(shape, port.dtype)
    if port.name == "position_ids":
        return np.broadcast_to(np.arange(shape[-1], dtype=port.dtype), shape).copy()
    if port.name == "beam_idx":
        return np.arange(shape[0], dtype=port.dtype)
    if port.dtype.kind == "f":
        return drawn.standard_normal(shape).astype(port.dtype)
    return np.zeros(shape, port.dtype)


def _ended(ids: Array, config: Mapping[str, object]) -> Array:
    """Texts that end with the token for that, which stands nowhere else in them: BART looks for it."""
    import numpy as np

    end = config.get("eos_token_id")
    if not isinstance(end, int) or not 0 <= end < _vocabulary(config):
        return ids
    ids = np.where(ids == end, end - 1 if end else 1, ids)
    ids[..., -1] = end
    return ids


def _vocabulary(config: Mapping[str, object]) -> int:
    text = config.get("text_config")
    for said in (config.get("vocab_size"), text.get("vocab_size") if isinstance(text, Mapping) else None):
        if isinstance(said, int) and said > 0:
            return said
    return _VOCABULARY
