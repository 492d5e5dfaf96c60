"""What `optimum-cli export openvino` does with its options -> model, conversion and compression of a recipe.

Olive's pass OpenVINOOptimumConversion takes the same options under the same names. The rules are those of
optimum/commands/export/openvino.py: which defaults apply when, and which options it passes over.
"""

from __future__ import annotations

import json
import operator
import struct
from collections.abc import Mapping
from math import prod
from pathlib import Path

from runner.base import files
from runner.base.paths import is_folder
from runner.importers import optimum_defaults
from runner.importers.draft import PLACEHOLDER, Draft
from runner.importers.optimum import Settings, drop_given, wrong
from runner.importers.optimum_formats import COMPRESSION, quantized, weights

LARGE = 1_000_000_000
"""Parameters from which Optimum Intel compresses weights without being asked (`_MAX_UNCOMPRESSED_SIZE`)."""

_LARGEST_HEADER = 100_000_000
"""Bytes of a safetensors header, as the format has it."""
_ONLY_FORMAT = (*COMPRESSION, "group_size_fallback", "quantization_statistics_path", "smooth_quant_alpha")

_LIBRARIES = ("transformers", "diffusers", "sentence_transformers")
_OF_PIPELINES = ("fp16", "fp32", "int8")
"""Formats that mean the same for all parts of a pipeline."""

SYNONYMS: Mapping[str, str] = {
    "audio-ctc": "automatic-speech-recognition",
    "causal-lm": "text-generation",
    "causal-lm-with-past": "text-generation-with-past",
    "default": "feature-extraction",
    "default-with-past": "feature-extraction-with-past",
    "masked-lm": "fill-mask",
    "seq2seq-lm": "text2text-generation",
    "seq2seq-lm-with-past": "text2text-generation-with-past",
    "sequence-classification": "text-classification",
    "speech2seq-lm": "automatic-speech-recognition",
    "speech2seq-lm-with-past": "automatic-speech-recognition-with-past",
    "summarization": "text2text-generation",
    "text-to-speech": "text-to-audio",
    "translation": "text2text-generation",
    "vision2seq-lm": "image-to-text",
    "zero-shot-classification": "text-classification",
    "image-feature-extraction": "feature-extraction",
    "pretraining": "feature-extraction",
}
"""Optimum's other names for tasks -> those that recipes have."""

_HEADS = {
    "ForCausalLM": "text-generation-with-past",
    "LMHeadModel": "text-generation-with-past",
    "ForMaskedLM": "fill-mask",
    "ForSequenceClassification": "text-classification",
    "ForTokenClassification": "token-classification",
    "ForQuestionAnswering": "question-answering",
    "ForImageClassification": "image-classification",
    "Model": "feature-extraction",
}
"""End of an architecture's name -> its task; the first that fits."""


def fill(draft: Draft, settings: Settings) -> None:
    """State what the options ask for."""
    if settings["library"] not in (None, *_LIBRARIES):
        what = f"models of {settings['library']} are not for recipes"
        wrong(draft, settings, "library", what, f"allowed: {', '.join(_LIBRARIES)}")
        return
    model(draft, settings)
    kind, mode = settings["weight_format"], settings["quant_mode"]
    if settings["library"] == "diffusers" and (mode or kind not in _OF_PIPELINES):
        what = (
            "Optimum Intel gives all parts of a pipeline what it says, or all above a size; a recipe says it by `parts`"
        )
        wrong(draft, settings, "library", what, f"give --weight-format {' or '.join(_OF_PIPELINES)}, and write `parts`")
    conversion(draft, settings)
    if kind is not None and mode is not None:
        what = "not together with a weight format: one is for weights alone, the other for weights and activations"
        wrong(draft, settings, "quant_mode", what, "give one of the two")
    elif mode is not None:
        quantized(draft, settings)
    elif kind in (None, "fp16", "fp32"):
        _plain(draft, settings)
    else:
        weights(draft, settings)
    _rest(draft, settings)


def model(draft: Draft, settings: Settings) -> None:
    """`model`: a folder, or a model of the hub."""
    name, at = str(settings["model"]), settings.origin("model")
    local = is_folder(Path(name)) or name.startswith((".", "/", "~"))
    was = settings.names.get("model", "model")
    if local:
        draft.put(("model", "source"), "local", f"{was} is a folder", at)
        draft.put(
            ("model", "path"), name if name.startswith(("/", "~")) else str(Path(name).absolute()), f"was {was}", at
        )
    else:
        draft.put(("model", "source"), "huggingface", f"{was} is no folder here", at)
        draft.put(("model", "id"), name, f"was {was}", at)
        draft.put(
            ("model", "revision"), "main", "whatever it stands for that day; state a commit to repeat a result", at
        )
    _task(draft, settings, local=local)
    if settings["trust_remote_code"]:
        remark = f"was {settings.names['trust_remote_code']}; needs --allow-remote-code too"
        draft.put(("model", "trust_remote_code"), True, remark, settings.origin("trust_remote_code"))


def _task(draft: Draft, settings: Settings, *, local: bool) -> None:
    task, at = settings["task"], settings.origin("task")
    if task not in (None, "auto"):
        known = SYNONYMS.get(task, task) if isinstance(task, str) else task
        draft.put(
            ("model", "task"), known, settings.was("task") if known != task else f"was {settings.names['task']}", at
        )
    elif local:
        stated = optimum_defaults.hf_config(str(settings["model"])).get("architectures")
        first = str(stated[0]) if isinstance(stated, list) and stated else ""
        usual = "text-to-image" if settings["library"] == "diffusers" else PLACEHOLDER
        head = next((task for end, task in _HEADS.items() if first.endswith(end)), usual)
        draft.put(("model", "task"), head, "not stated there; from config.json", settings.origin("model"))


def conversion(draft: Draft, settings: Settings) -> None:
    """`conversion`: the type of the weights, state and tokenizers."""
    kind = settings["weight_format"]
    if kind in ("fp16", "fp32"):
        draft.put(("conversion", "precision"), kind, settings.was("weight_format"), settings.origin("weight_format"))
    else:
        config = optimum_defaults.hf_config(str(settings["model"]))
        stored = config.get("dtype") or config.get("torch_dtype")
        precision = "fp16" if stored == "float16" else "fp32"
        known = f"here {stored}" if stored else "fp16 for 16 bits, fp32 loses nothing"
        draft.put(("conversion", "precision"), precision, f"{settings.said} keeps the type that is stored: {known}")
    for name, key in (("disable_stateful", "stateful"), ("disable_convert_tokenizer", "tokenizer")):
        if settings[name]:
            draft.put(("conversion", key), False, f"was {settings.names[name]}", settings.origin(name))


def _plain(draft: Draft, settings: Settings) -> None:
    """No compression was asked for; large models get some all the same where no format was named."""
    stated = [name for name in _ONLY_FORMAT if settings[name] is not None]
    if settings["weight_format"] is not None:
        for name in stated:
            draft.drop("", settings.name(name), f"{settings.said} passes it over with {settings.name('weight_format')}")
        return
    for name in stated:
        kind = "--quant-mode int8" if name == "smooth_quant_alpha" else "--weight-format int4"
        wrong(
            draft, settings, name, "without a format there is nothing that it could be for", f"add {kind}, or the like"
        )
    if stated:
        return
    count = parameters(Path(str(settings["model"])))
    rule = f"{settings.said} gives models of 1e9 parameters and more 8-bit weights by itself"
    if count is not None and count >= LARGE:
        draft.put(("compression", "algorithm"), "weight_compression", f"{rule}; this one has {count}")
        draft.put(("compression", "mode"), "int8_asym")
    elif count is not None:
        draft.remark("", f"no compression: {rule}, and this one has {count}")
    else:
        draft.remark("", f"no compression: {rule}; for such a model add compression=int8 on the command line")


def parameters(folder: Path) -> int | None:
    """How many floating-point parameters the safetensors files of a folder hold; None where there are none."""
    found = sorted(folder.glob("*.safetensors")) if is_folder(folder) else []
    counts = [count for path in found if (count := _in_file(path)) is not None]
    return sum(counts) if counts else None


def _in_file(path: Path) -> int | None:
    """The parameters in a safetensors file, from its header: 8 bytes of length, then JSON."""
    try:
        with files.open_regular(path) as stream:
            (size,) = struct.unpack("<Q", stream.read(8))
            header = json.loads(stream.read(min(size, _LARGEST_HEADER)))
        floats = [one for one in header.values() if str(one.get("dtype")) in ("F64", "F32", "F16", "BF16")]
        return sum(prod(map(operator.index, one["shape"])) for one in floats)
    except (OSError, ValueError, RecursionError, struct.error, AttributeError, KeyError, TypeError):
        return None


def _rest(draft: Draft, settings: Settings) -> None:
    """Options about the export that recipes have no need of, or no counterpart."""
    dropped = {
        "framework": "models are exported from PyTorch",
        "library": "the model's files tell it",
        "cache_dir": "HF_HUB_CACHE says where the hub's files are kept",
        "device": "the export runs on the CPU",
    }
    drop_given(draft, "", settings, dropped)
    refused = {
        "pad_token_id": "the padding token is the tokenizer's",
        "variant": "weights are those of the usual file names",
        "model_kwargs": "the export takes no arguments of the model's own",
    }
    for name, why in refused.items():
        if settings[name] is not None:
            draft.refuse("", settings.name(name), why, settings.origin(name))
