"""What the config.json of a Hugging Face model tells of its architecture."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_HEADS = ("num_attention_heads", "n_head", "n_heads", "encoder_attention_heads", "decoder_attention_heads")
_CONVOLUTIONAL = frozenset(
    {
        *("bit", "convnext", "convnextv2", "efficientnet", "focalnet", "mobilenet_v1", "mobilenet_v2", "poolformer"),
        *("regnet", "resnet", "van"),
    }
)

_TASKS = {
    "ForCausalLM": "text-generation-with-past",
    "LMHeadModel": "text-generation-with-past",
    "ForMaskedLM": "fill-mask",
    "ForSequenceClassification": "text-classification",
    "ForTokenClassification": "token-classification",
    "ForQuestionAnswering": "question-answering",
    "ForMultipleChoice": "multiple-choice",
    "ForImageClassification": "image-classification",
    "ForAudioClassification": "audio-classification",
    "ForObjectDetection": "object-detection",
    "ForSemanticSegmentation": "semantic-segmentation",
}
"""End of an architecture's name -> the one task that it is for."""


def task_of(config: Mapping[str, Any]) -> str | None:
    """The Optimum task of a model, where the name of its one architecture tells it."""
    names = config.get("architectures")
    if not isinstance(names, list) or len(names) != 1 or not isinstance(names[0], str):
        return None
    return next((task for end, task in _TASKS.items() if names[0].endswith(end)), None)


def is_transformer(config: Mapping[str, Any]) -> bool | None:
    """Whether a model has attention: True or False where its config tells, else None.

    Attention heads tell it, also those of a part such as `text_config`; a few families are known to have none.
    """
    parts = [config, *(part for part in config.values() if isinstance(part, Mapping))]
    if any(isinstance(part.get(name), int) and part[name] > 0 for part in parts for name in _HEADS):
        return True
    return False if config.get("model_type") in _CONVOLUTIONAL else None
