"""The cache that a decoder of PyTorch makes, by the names that it has where a converted model gives it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from runner.base.values import Array


def presents(past: object) -> dict[str, Array]:
    """`present.0.key` and so on; of a decoder that has an encoder `present.0.decoder.key`, `present.0.encoder.key`.

    Args:
        past: a cache of transformers, or None.
    """
    halves = {".decoder": "self_attention_cache", ".encoder": "cross_attention_cache"}
    several = {kind: getattr(past, name) for kind, name in halves.items() if hasattr(past, name)}
    return {name: array for kind, one in (several or {"": past}).items() for name, array in _layers(one, kind)}


def _layers(cache: object, kind: str) -> Iterator[tuple[str, Array]]:
    import torch

    for index, layer in enumerate(getattr(cache, "layers", ())):
        for what in ("key", "value"):
            values = getattr(layer, f"{what}s", None)
            if isinstance(values, torch.Tensor):
                yield f"present.{index}{kind}.{what}", values.float().numpy()
