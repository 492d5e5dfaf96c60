"""Settings of checks that several metrics have, as JSON Schemas: how a model is asked, and what encodes its rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

Encodes = Literal["texts", "images"]
"""What an encoder makes embeddings of."""
ENCODER, ENCODED = "encoder", "embeddings"
"""The setting of a check that names an encoder's folder, and what that gives."""
_DRAWN = "the metrics of images that a model draws"
_IN_WINDOWS = "the metrics that read text in windows of tokens"
_CONTEXT = {
    "description": "Tokens in a window.", "x-only": _IN_WINDOWS,
    "type": "integer", "minimum": 2, "maximum": 1000000000, "examples": [256],
}  # fmt: skip
_STRIDE = {
    "description": "Tokens from a window's start to the next; at most context_length.", "x-only": _IN_WINDOWS,
    "type": "integer", "minimum": 1, "maximum": 1000000000, "examples": [256],
}  # fmt: skip
MAX_NEW_TOKENS = {
    "description": "Longest reply, in tokens; by default what docs/tasks.md says of the task.",
    "x-only": "the metrics that generate text",
    "x-source": "openvino_genai.GenerationConfig",
    "type": "integer", "minimum": 1, "maximum": 1000000000, "examples": [32],
}  # fmt: skip
DELIMITER = {
    "description": "What stands between the prompt and each choice.", "x-only": "the metrics of multiple choice",
    "x-source": "lm_eval `target_delimiter`", "type": "string", "maxLength": 100, "default": " ", "examples": [": "],
}  # fmt: skip
DRAWING: Mapping[str, Mapping[str, object]] = {
    "num_inference_steps": {
        "description": "Steps in which noise becomes an image; by default the pipeline's own.", "x-only": _DRAWN,
        "x-source": "diffusers `num_inference_steps`",
        "type": "integer", "minimum": 1, "maximum": 10000, "examples": [20],
    },
    "height": {
        "description": "Pixels of an image from top to bottom; by default the pipeline's own.", "x-only": _DRAWN,
        "x-source": "diffusers `height`", "type": "integer", "minimum": 16, "maximum": 16384, "examples": [512],
    },
    "width": {
        "description": "Pixels of an image from left to right; by default the pipeline's own.", "x-only": _DRAWN,
        "x-source": "diffusers `width`", "type": "integer", "minimum": 16, "maximum": 16384, "examples": [512],
    },
    "guidance_scale": {
        "description": "How closely an image keeps to its text; by default the pipeline's own.", "x-only": _DRAWN,
        "x-source": "diffusers `guidance_scale`",
        "type": "number", "minimum": 0, "maximum": 1000, "examples": [7.5],
    },
}  # fmt: skip
"""How an image is drawn."""
FED_BY: Mapping[str, Mapping[str, Mapping[str, object]]] = {
    "texts": {"max_new_tokens": MAX_NEW_TOKENS},
    "log-likelihoods": {"delimiter": DELIMITER},
    "images": DRAWING,
}
"""What a model gives -> the settings of a check that shape it."""
ENCODER_SCHEMA = {
    "description": "Folder of what makes embeddings, relative to the file that states it. Of texts: a sentence encoder "
    "of sentence-transformers, of Hugging Face with safetensors, or of OpenVINO. Of images with their texts: a CLIP of "
    "Hugging Face with safetensors.",
    "type": "string", "minLength": 1, "examples": ["models/all-MiniLM-L6-v2"],
}  # fmt: skip
WINDOWS = {"context_length": _CONTEXT, "stride": _STRIDE}
"""The settings of passes over text in windows of tokens."""
