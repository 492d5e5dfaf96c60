"""Loads a Hugging Face model for tracing: configuration, task, weights in the type that the IR will have."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from runner.base.words import near
from runner.errors import SourceError
from runner.export import exportable, pictured
from runner.export.adapter import merge, narrow
from runner.export.exportable import DIRECT_TASKS
from runner.export.patches import no_initial_values
from runner.model import listing
from runner.model.check import read_config, safetensors_files
from runner.model.safetensors import safetensors_dtypes

if TYPE_CHECKING:
    from transformers import PretrainedConfig, PreTrainedModel

Precision = Literal["fp32", "fp16"]

# Weights that a checkpoint may lack: the graph of the tasks below does not use them, or they are computed.
_EXPENDABLE = ("pooler", "masked_spec_embed", "inv_freq", "position_ids")
_TEXT_GENERATION = ("text-generation", "text-generation-with-past")


@dataclass(frozen=True)
class Request:
    """What to convert and how; `task` is an Optimum task name or a synonym of one."""

    source: Path
    out: Path
    task: str
    precision: Precision
    stateful: bool
    tokenizer: bool
    trust_remote_code: bool
    allow_pickle: bool
    adapter: Path | None = None


def load_config(request: Request) -> PretrainedConfig:
    """The model's configuration as transformers reads it.

    Raises:
        SourceError: an unknown model type, or one whose code lies in the folder while that is not trusted.
    """
    from transformers import AutoConfig
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING

    raw = _raw_config(request)
    model_type = str(raw["model_type"])
    if model_type not in CONFIG_MAPPING and not ("auto_map" in raw and request.trust_remote_code):
        raise _unknown_type(request, model_type, custom="auto_map" in raw, known=list(CONFIG_MAPPING.keys()))
    try:
        return AutoConfig.from_pretrained(
            request.source, trust_remote_code=request.trust_remote_code, local_files_only=True
        )
    except (ValueError, KeyError, TypeError, OSError) as error:
        message = f"{request.source / 'config.json'}: cannot be used: {_first_line(error)}"
        raise SourceError(message) from error


def _unknown_type(request: Request, model_type: str, *, custom: bool, known: list[str]) -> SourceError:
    place = request.source / "config.json"
    if custom:
        message = f"{place}: model type {model_type} needs Python code that comes with the model (auto_map)"
        hint = "Read that code; if you trust it, set `model.trust_remote_code: true`."
        return SourceError(message, hint=hint)
    guess = near(model_type, known)
    suggestion = f" (did you mean {guess}?)" if guess else ""
    return SourceError(f"{place}: transformers knows no model type {model_type}{suggestion}")


def supported_task(config: PretrainedConfig, task: str) -> str:
    """The Optimum task that `task` names.

    Raises:
        SourceError: models of this type are not converted for it, in the words that a plan has.
    """
    from optimum.exporters.tasks import TasksManager

    task = TasksManager.map_from_synonym(task)
    model_type = getattr(config, "export_model_type", None) or config.model_type
    if pictured.converts(model_type, task):
        return task
    try:
        tasks = TasksManager.get_supported_tasks_for_model_type(model_type, "openvino", library_name="transformers")
    except KeyError as error:
        raise _refusal(task, exportable.unknown_type(model_type)) from error
    if task not in tasks:
        raise _refusal(task, exportable.unknown_task(model_type, task, tasks))
    other = exportable.wrong_version(model_type, *exportable.versions(tasks[task]))
    if other:
        raise _refusal(task, other)
    return task


def _refusal(task: str, found: exportable.Misfit) -> SourceError:
    what, allowed, guess = found
    suggestion = f" (did you mean {guess}?)" if guess else ""
    return SourceError(f"{task}: {what}; {allowed}{suggestion}")


def load_model(request: Request, config: PretrainedConfig) -> PreTrainedModel:
    """The PyTorch model for the request's task, its weights mapped from the file where their type is the wanted one.

    Raises:
        SourceError: weights that do not fit the configuration, lack a layer, or leave the range of 16 bits.
    """
    import torch
    from optimum.exporters.openvino.__main__ import FORCE_ATTN_MODEL_CLASSES
    from optimum.exporters.tasks import TasksManager

    torch.manual_seed(0)
    torch.set_num_threads(1)  # a trace runs every layer once, on a few tokens: more threads wait for each other
    task = request.task
    stored = _stored_dtypes(request)
    half = _wants_half(request, stored)
    options = {"attn_implementation": FORCE_ATTN_MODEL_CLASSES.get(config.model_type)}
    loader = TasksManager.get_model_class_for_task(task, "pt", model_type=config.model_type, library="transformers")
    try:
        with no_initial_values():
            model, report = loader.from_pretrained(
                request.source,
                dtype=torch.float16 if half and not request.adapter else torch.float32,
                trust_remote_code=request.trust_remote_code,
                use_safetensors=None if request.allow_pickle else True,
                local_files_only=True,
                output_loading_info=True,
                **{key: value for key, value in options.items() if value},
            )
    except (ValueError, OSError, RuntimeError, KeyError, ImportError) as error:
        message = f"{request.source}: cannot be loaded for the task {task}: {_first_line(error)}"
        raise SourceError(message) from error
    refuse_missing(request, model, report["missing_keys"])
    if request.adapter:
        model = merge(model, request.adapter)  # in 32 bits: the sum is rounded once
        if half:
            narrow(model)
    if half and (request.adapter or stored != {"F16"}):
        _refuse_overflow(request.source, model)
    _set_pad_token(request, model)
    return model


def _raw_config(request: Request) -> dict[str, object]:
    return read_config(request.source, listing.reader(request.source, viewed=True))


def _stored_dtypes(request: Request) -> frozenset[str]:
    """The floating-point types of the stored weights as safetensors names them; empty where only pickles are there."""
    files = safetensors_files(request.source, listing.reader(request.source, viewed=True))
    return frozenset(dtype for file in files for dtype in safetensors_dtypes(file))


def _wants_half(request: Request, stored: frozenset[str]) -> bool:
    """Whether to load in 16 bits.

    Half the memory, and tracing then needs no arithmetic. Other models than generators are loaded in 32 bits unless
    they are stored in 16, since folding a batch norm into 16-bit weights loses accuracy.
    """
    if request.precision == "fp32":
        return False
    return request.task in _TEXT_GENERATION or (bool(stored) and stored <= {"F16", "BF16"})


def refuse_missing(request: Request, model: PreTrainedModel, missing: Iterable[str]) -> None:
    """transformers fills absent weights with random values and only logs it: such a model is not worth converting.

    Raises:
        SourceError: naming some of them.
    """
    absent = sorted(name for name in missing if not _is_expendable(model, name))
    if absent:
        shown = ", ".join(absent[:3]) + (", …" if len(absent) > 3 else "")
        message = f"{request.source}: its weights lack {len(absent)} that the task {request.task} needs: {shown}"
        raise SourceError(message, hint="Take the task that the model was trained for, or the complete weights.")


def _is_expendable(model: PreTrainedModel, name: str) -> bool:
    """Whether a weight is not used, or is computed, as the sinusoidal positions that Pegasus' files leave out."""
    layer = type(model.get_submodule(name.rpartition(".")[0])).__name__
    return "Sinusoidal" in layer or any(part in name for part in _EXPENDABLE)


def _refuse_overflow(source: Path, model: PreTrainedModel) -> None:
    """16-bit floats end at 65504; beyond it a weight has become infinite."""
    import torch

    for name, weight in model.named_parameters():
        if weight.dtype is torch.float16 and weight.isinf().any():
            message = f"{source}: {name} has values beyond the range of 16-bit floats"
            raise SourceError(message, hint="Set `conversion.precision: fp32`.")


def _set_pad_token(request: Request, model: PreTrainedModel) -> None:
    """A sequence classifier needs the padding token's id to find the last token of each sequence."""
    if request.task != "text-classification" or getattr(model.config, "pad_token_id", None) is not None:
        return
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(
        request.source, trust_remote_code=request.trust_remote_code, local_files_only=True
    )
    if tokenizer.pad_token_id is None:
        message = f"{request.source}: neither model nor tokenizer names a padding token, which {request.task} needs"
        raise SourceError(message, hint="Set pad_token_id in config.json.")
    model.config.pad_token_id = tokenizer.pad_token_id


def _first_line(error: Exception) -> str:
    text = str(error.args[0] if isinstance(error, KeyError) and error.args else error).strip()
    return text.splitlines()[0] if text else type(error).__name__


def uses_main_export(request: Request, config: PretrainedConfig) -> bool:
    """Whether Optimum's `main_export` has special handling for this model that `export_from_model` lacks.

    So it is for models of several submodels, weights that are quantized already, and code that comes with a model.
    """
    from optimum.exporters.openvino.utils import MULTI_MODAL_TEXT_GENERATION_MODELS

    if pictured.converts(config.model_type, request.task):
        return False
    raw = json.dumps(_raw_config(request))
    return (
        request.task.removesuffix("-with-past") not in DIRECT_TASKS
        or bool(getattr(config, "is_encoder_decoder", False))
        or config.model_type in MULTI_MODAL_TEXT_GENERATION_MODELS
        or config.model_type in ("qwen2_vl_text", "qwen2_5_vl_text")
        or getattr(config, "quantization_config", None) is not None
        or "Eagle3" in raw
        or (request.trust_remote_code and "auto_map" in raw)
    )
