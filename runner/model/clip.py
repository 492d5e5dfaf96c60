"""CLIP: a model that makes embeddings of images and of texts, which are alike where the text says what is seen."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

from runner.errors import SourceError
from runner.model import sentences

_TYPE, _IMAGES = "clip", "preprocessor_config.json"


def refuse_others(folder: Path, config: Mapping[str, object], files: Collection[str]) -> None:
    """Refuse a model that makes no embeddings of images and texts, as far as its files tell.

    Args:
        config: its config.json; empty for an OpenVINO IR.
        files: names of those that are read.

    Raises:
        SourceError: it is one of another kind, or has no tokenizer or no image processor.
    """
    if config.get("model_type") != _TYPE or "vision_config" not in config:
        message = f"{folder} is no CLIP of Hugging Face: model_type is {config.get('model_type')!r}"
        raise SourceError(message, hint="Give a folder of CLIP's two halves, with safetensors.")
    sentences.refuse_mute(folder, files)
    if _IMAGES not in files:
        message = f"{folder}: the encoder has no image processor, {_IMAGES}"
        raise SourceError(message)
