"""Sentence encoders: what sentence-transformers does after the network, such as pooling, stands in modules.json, with a
folder for each step; other encoders are known by their architecture."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from pathlib import Path

import runner.base.files as fs
from runner.errors import SourceError
from runner.registry.tasks import task_of

STEPS, SETTINGS = "modules.json", "sentence_bert_config.json"
_OWN = "config_sentence_transformers.json"
_STEP = re.compile(r"\d+_\w+")
_ENCODING = ("feature-extraction", "fill-mask")
"""What the architectures of encoders are for."""
_TOKENIZERS = re.compile(r"tokenizer\.json|vocab\.\w+|.*\.model|tokenizer_config\.json")


def is_step(folder: str) -> bool:
    """Whether a folder is called as that of a step."""
    return bool(_STEP.fullmatch(folder))


def is_of_step(name: str) -> bool:
    """Whether a file is one that a step is loaded from."""
    folder, _, file = name.partition("/")
    return is_step(folder) and file in ("config.json", "model.safetensors")


def refuse_others(folder: Path, config: Mapping[str, object], files: Collection[str]) -> None:
    """Refuse a model that makes no embeddings of texts, as far as its files tell.

    Args:
        config: its config.json.
        files: names of those that are read.

    Raises:
        SourceError: it is one of another kind, has no tokenizer, or wants a prompt before each text.
    """
    task = task_of(config)
    if STEPS not in files and task is not None and task not in _ENCODING:
        names = config.get("architectures")
        told = f" ({', '.join(map(str, names))})" if isinstance(names, list) else ""
        message = f"{folder} is no sentence encoder: it is a model for {task}{told}"
        raise SourceError(message, hint="Give a folder of sentence-transformers, or of an encoder such as BERT.")
    refuse_mute(folder, files)
    if fs.read_object(folder / _OWN).get("default_prompt_name"):
        message = f"{folder}: {_OWN} wants a prompt before each text, which isn't known here"
        raise SourceError(message)


def refuse_mute(folder: Path, files: Collection[str]) -> None:
    """SourceError for a model without a tokenizer."""
    if not any(_TOKENIZERS.fullmatch(name) for name in files):
        message = f"{folder}: the encoder has no tokenizer"
        raise SourceError(message)
