"""The conversion by Optimum's exporter: every contact with optimum, transformers and torch, imported on loading this module."""

from __future__ import annotations

import os

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"

from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from optimum.exporters.openvino import export_from_model
from optimum.exporters.tasks import TasksManager
from transformers import AutoConfig, AutoTokenizer, PreTrainedTokenizerBase

from runner.errors import SourceError

_PREPROCESSOR_FILES = ("preprocessor_config.json", "processor_config.json", "video_preprocessor_config.json")
_TOKENIZER_FILES = (
    "tokenizer.json",
    "tokenizer_config.json",
    "vocab.json",
    "vocab.txt",
    "tokenizer.model",
    "spiece.model",
)


@dataclass
class Loaded:
    """A model in memory with what belongs to it."""

    source: Path
    task: str
    model: Any
    preprocessors: list[Any]
    trust_remote_code: bool


def load(source: Path, task: str, precision: str, trust_remote_code: bool, allow_pickle: bool) -> Loaded:
    """Load configuration, weights and preprocessors; SourceError when one of them cannot be had."""
    torch.manual_seed(0)
    config = _config(source, trust_remote_code)
    task = _supported_task(config, task)
    model = _model(source, config, task, precision, trust_remote_code, allow_pickle)
    return Loaded(source, task, model, _preprocessors(source, trust_remote_code), trust_remote_code)


def _config(source: Path, trust_remote_code: bool) -> Any:
    try:
        return AutoConfig.from_pretrained(source, trust_remote_code=trust_remote_code, local_files_only=True)
    except (ValueError, KeyError, OSError) as error:
        message = f"{source}: its configuration cannot be used: {error}"
        raise SourceError(message) from error


def _supported_task(config: Any, task: str) -> str:
    task = TasksManager.map_from_synonym(task)
    model_type = getattr(config, "export_model_type", None) or config.model_type
    try:
        tasks = TasksManager.get_supported_tasks_for_model_type(model_type, "openvino", library_name="transformers")
    except KeyError as error:
        message = f"model type {model_type}: Optimum's exporter does not know how to convert it"
        raise SourceError(message) from error
    if task not in tasks:
        near = get_close_matches(task, tasks, 1)
        hint = f"Did you mean {near[0]}?" if near else None
        message = f"task {task}: not supported for model type {model_type}; allowed are {', '.join(sorted(tasks))}"
        raise SourceError(message, hint=hint)
    return task


def _model(source: Path, config: Any, task: str, precision: str, trust_remote_code: bool, allow_pickle: bool) -> Any:
    loader = TasksManager.get_model_class_for_task(task, "pt", model_type=config.model_type, library="transformers")
    dtype = torch.float32
    if task.startswith("text-generation") and precision == "fp16" and config.dtype in (torch.float16, torch.bfloat16):
        dtype = torch.float16
    try:
        return loader.from_pretrained(
            source,
            dtype=dtype,
            trust_remote_code=trust_remote_code,
            local_files_only=True,
            use_safetensors=None if allow_pickle else True,
        )
    except (ValueError, OSError, RuntimeError) as error:
        message = f"{source}: cannot be loaded for the task {task}: {error}"
        raise SourceError(message) from error


def _preprocessors(source: Path, trust_remote_code: bool) -> list[Any]:
    """What Optimum saves beside the model; a folder without image or audio settings has a tokenizer at most."""
    if any((source / name).is_file() for name in _PREPROCESSOR_FILES):
        from optimum.utils.save_utils import maybe_load_preprocessors

        loaded: list[Any] = maybe_load_preprocessors(source, trust_remote_code=trust_remote_code)
        return loaded
    if any((source / name).is_file() for name in _TOKENIZER_FILES):
        return [AutoTokenizer.from_pretrained(source, trust_remote_code=trust_remote_code, local_files_only=True)]
    return []


def save_tokenizers(loaded: Loaded, out: Path, *, convert: bool) -> None:
    """Write the tokenizer as OpenVINO models."""
    tokenizer = next((item for item in loaded.preprocessors if isinstance(item, PreTrainedTokenizerBase)), None)
    if not convert or tokenizer is None:
        return
    import openvino
    from openvino_tokenizers import convert_tokenizer

    if loaded.task.startswith("text-generation"):
        tokenizer.padding_side = tokenizer.truncation_side = "left"
    models = convert_tokenizer(tokenizer, with_detokenizer=True)
    for model, name in zip(models, ("tokenizer", "detokenizer"), strict=True):
        openvino.save_model(model, out / f"openvino_{name}.xml")


def convert(loaded: Loaded, out: Path, precision: str, stateful: bool) -> None:
    """Trace and convert the model and write the IR with its configuration."""
    export_from_model(
        loaded.model,
        out,
        task=loaded.task,
        ov_config=SimpleNamespace(dtype=precision, quantization_config=None),
        stateful=stateful,
        preprocessors=loaded.preprocessors,
        trust_remote_code=loaded.trust_remote_code,
        patch_16bit_model=loaded.model.dtype in (torch.float16, torch.bfloat16),
    )
