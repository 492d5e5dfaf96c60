"""What the originals of the parts of a converted pipeline of diffusers give in PyTorch."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from runner.export.given import Given, Outputs, too_large
from runner.export.memory import give_back
from runner.model.feed import Feed, Port, ports
from runner.model.parts import Model

if TYPE_CHECKING:
    import numpy as np
    import torch

    from runner.base.values import Array
    from runner.export.pipeline import Network

_SIZES = ((1, 8, 8), (2, 16, 13))
"""Of two trials: images, the height and width of their latents, tokens."""
_SCALE = 8
"""Pixels of an image in both directions to one of its latents."""


def given_by(loaded: Network, out: Path, precision: str, check: str) -> Given:
    """Feed the original of each part with images of two sizes and texts of two lengths.

    Args:
        loaded: the pipeline in PyTorch; it is in 32 bits afterwards.
        out: the converted one.
        check: `small` or `any`, as `too_large` takes it.
    """
    import torch

    give_back()
    given = Given(f"PyTorch {torch.__version__} in eager mode, float32")
    if large := too_large(out, precision, check):
        given.unchecked.append(large)
        return given
    whole = Model.of(out)
    with torch.inference_mode():
        for part in whole.parts:
            original = _original(part, loaded)
            if original is None:
                given.unchecked.append(f"the part {part}, which no network of the original is known for")
            else:
                given.ask(original, _feeds(ports(whole.read(part))), part)
    return given


def _original(part: str, loaded: Network) -> Callable[[Feed], Outputs] | None:
    """What a part was converted from, as a function from its inputs to its outputs under the same names."""
    network = getattr(loaded, "vae" if part.startswith("vae_") else part, None)
    if network is None:
        return None
    network.float()
    run = {"vae_encoder": _encode, "vae_decoder": _decode, "unet": _denoise, "transformer": _transform}.get(part, _read)
    return lambda feed: run(network, _tensors(feed))


def _encode(vae: Network, fed: Mapping[str, torch.Tensor]) -> Outputs:
    return {"latent_parameters": vae.encode(fed["sample"], return_dict=False)[0].parameters.numpy()}


def _decode(vae: Network, fed: Mapping[str, torch.Tensor]) -> Outputs:
    return {"sample": vae.decode(fed["latent_sample"], return_dict=False)[0].numpy()}


def _denoise(unet: Network, fed: Mapping[str, torch.Tensor]) -> Outputs:
    added = {name: fed[name] for name in ("text_embeds", "time_ids") if name in fed}
    own = {name: value for name, value in fed.items() if name not in added}
    return {"out_sample": unet(**own, added_cond_kwargs=added or None, return_dict=False)[0].numpy()}


def _transform(transformer: Network, fed: Mapping[str, torch.Tensor]) -> Outputs:
    return {"out_sample": transformer(**fed, return_dict=False)[0].numpy()}


def _read(encoder: Network, fed: Mapping[str, torch.Tensor]) -> Outputs:
    given = encoder(**fed, output_hidden_states=True, return_dict=True)
    states = {f"hidden_states.{index}": state.numpy() for index, state in enumerate(given.get("hidden_states") or ())}
    return {**{name: value.numpy() for name, value in given.items() if name != "hidden_states"}, **states}


def _tensors(feed: Feed) -> dict[str, torch.Tensor]:
    import torch

    return {name: torch.from_numpy(array) for name, array in feed.items()}


def _feeds(inputs: Collection[Port]) -> Iterator[Feed]:
    import numpy as np

    drawn = np.random.default_rng(0)
    for images, side, tokens in _SIZES:
        yield {port.name: _values(port, images, side, tokens, drawn) for port in inputs}


def _values(port: Port, images: int, side: int, tokens: int, drawn: np.random.Generator) -> Array:
    """Values of one input: random ones, but for those that are places, times and sizes."""
    import numpy as np

    shape = _shape(port, images, side, tokens)
    match port.name:
        case "input_ids":
            return np.asarray(drawn.integers(0, 50, shape), port.dtype)
        case "timestep" | "guidance":
            return np.full(shape, 0.5 if port.dtype.kind == "f" else 500, port.dtype)
        case "time_ids":
            return np.full(shape, side * _SCALE, port.dtype)
        case "img_ids":
            across = np.arange(side * side)
            return np.stack([0 * across, across // side, across % side], axis=1).astype(port.dtype)
        case "txt_ids":
            return np.zeros(shape, port.dtype)
    return np.asarray(drawn.standard_normal(shape), port.dtype)


def _shape(port: Port, images: int, side: int, tokens: int) -> tuple[int, ...]:
    known = port.shape or ()
    wide = side * _SCALE if port.name == "sample" and known[1:2] == (3,) else side
    usual: dict[str, tuple[int, ...]] = {
        "input_ids": (images, tokens),
        "timestep": (images,),
        "guidance": (images,),
        "img_ids": (side * side,),
        "txt_ids": (tokens,),
        "encoder_hidden_states": (images, tokens),
        "hidden_states": (images, side * side) if len(known) == 3 else (images, 0, wide, wide),
    }
    wanted = usual.get(port.name, (images, 0, wide, wide))
    return tuple(wanted[axis] if size is None else size for axis, size in enumerate(known))
