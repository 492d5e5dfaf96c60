"""What the config.json of a Hugging Face model tells of its architecture."""

from __future__ import annotations

from collections.abc import Mapping

_HEADS = ("num_attention_heads", "n_head", "n_heads", "encoder_attention_heads", "decoder_attention_heads")
_CONVOLUTIONAL = frozenset(
    {
        *("bit", "convnext", "convnextv2", "efficientnet", "focalnet", "mobilenet_v1", "mobilenet_v2", "poolformer"),
        *("regnet", "resnet", "van"),
    }
)


def is_transformer(config: Mapping[str, object]) -> bool | None:
    """Whether a model has attention: True or False where its config tells, else None.

    Attention heads tell it, also those of a part such as `text_config`; a few families are known to have none.
    """
    parts = [config, *(part for part in config.values() if isinstance(part, Mapping))]
    if any(isinstance(part.get(name), int) and part[name] > 0 for part in parts for name in _HEADS):
        return True
    return False if config.get("model_type") in _CONVOLUTIONAL else None
