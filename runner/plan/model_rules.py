"""The rules of a recipe that need the model's config.json: channel counts, positions, and options without effect."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import runner.base.files as fs
from runner.base.keys import version_of
from runner.base.values import whole
from runner.errors import Problem
from runner.export import adapter, exportable, pictured, pieces, quantized, sighted
from runner.model import architecture, vocoder
from runner.recipe.judge import quantization_rules, weight_rules
from runner.recipe.types import Quantization, Recipe, WeightCompression
from runner.registry.tasks import family_of
from runner.sources import apart
from runner.sources.adapter import Adapter

_FIXED = ("mxfp4", "mxfp8_e4m3", "nvfp4")
"""Modes that have one group size only."""
_SEES = "vision_embeddings"
"""The part that takes images, of a model that takes texts too."""
_SOUNDS = "vocoder"
"""The part that gives sound, of a model that speaks."""
_END = {
    "generation_config.json": "eos_token_id",
    "tokenizer_config.json": "eos_token",
    "special_tokens_map.json": "eos_token",
}
"""File -> its key for the token that ends a text."""
_APART = ("text-generation-with-past",)
"""The tasks of which OpenVINO GenAI loads a model with an adapter beside it."""
_USUAL = (16, 32, 64, 128, 256)
_NO_AWQ = frozenset({"gpt2"})
"""Model types on which NNCF's AWQ finds nothing to do: the result has the same bytes without it."""


def check_against_config(recipe: Recipe, config: Mapping[str, Any]) -> list[Problem]:
    """What of a recipe doesn't fit a model, told from its config.json.

    Args:
        recipe: a valid recipe.
        config: the model's config.json; keys that it lacks are not judged.
    """
    return [*_compression(recipe, config), *_smoothing(recipe, config), *_positions(recipe, config)]


def not_exportable(recipe: Recipe, config: Mapping[str, object], task: str) -> Iterator[Problem]:
    """What Optimum's exporter can't convert, told from a model's config.json."""
    found = exportable.misfit(config, task)
    if found:
        what, allowed, guess = found
        key = "model.task" if recipe.model.task else "model"
        yield Problem(recipe.where(key), key, f"{task}: {what}" if key == "model" else what, allowed, guess)


def not_seen(recipe: Recipe, config: Mapping[str, object], task: str) -> Iterator[Problem]:
    """An architecture that sees images, that is converted, and that can't be used here."""
    found = sighted.misfit(config) if task == sighted.TASK else pictured.without_timm(config)
    if found:
        yield Problem(recipe.where("model"), "model", *found)


def quantized_before(recipe: Recipe, config: Mapping[str, object]) -> Iterator[Problem]:
    """What can't be done with weights that are quantized as they come."""
    compressed = bool(recipe.compression) or any(recipe.parts.values())
    for key, what, allowed in quantized.misfits(config, compressed=compressed):
        yield Problem(recipe.where(key), key, what, allowed)


def no_adapter(
    recipe: Recipe, found: Adapter, config: Mapping[str, object] | None, task: str | None
) -> Iterator[Problem]:
    """Why the recipe's adapter can't be merged into its model, or loaded beside it."""
    if found.merge:
        for what, allowed in adapter.misfits(config or {}, task) if task else ():
            yield Problem(recipe.where("model.adapter"), "model.adapter", what, allowed)
        return
    for key, what in _not_apart(recipe, found, task):
        allowed = {"model.adapter.merge": "allowed: true, which merges it"}.get(key, "allowed: true")
        yield Problem(recipe.where(key), key, what, allowed)


def _not_apart(recipe: Recipe, found: Adapter, task: str | None) -> Iterator[tuple[str, str]]:
    """Why OpenVINO GenAI's LLMPipeline can't load an adapter with the recipe's model: the key, and what is wrong."""
    key = "model.adapter.merge"
    if task not in _APART:
        yield key, f"an adapter is loaded beside a model for {' or '.join(_APART)} alone, by OpenVINO GenAI"
    yield from ((key, what) for what in apart.misfits(found.settings))
    for setting in ("stateful", "tokenizer"):
        if not getattr(recipe.conversion, setting):
            yield f"conversion.{setting}", "OpenVINO GenAI, which loads the adapter, needs it"
    if version_of("openvino-genai") == "absent":
        yield key, "OpenVINO GenAI, which loads the adapter, is not installed (pip install 'ovrun[genai]')"


def no_processor(recipe: Recipe, files: Collection[str], task: str) -> Iterator[Problem]:
    """A model of images and texts that says nowhere how images become its inputs.

    Args:
        files: names of those that are there; none if nobody knows yet.
        task: Optimum's name.
    """
    if files and _SEES in family_of(task).parts and set(sighted.PROCESSORS).isdisjoint(files):
        what = f"nothing says how images become its inputs: it has neither {' nor '.join(sighted.PROCESSORS)}"
        yield Problem(recipe.where("model"), "model", what, "put the files of its processor beside its config.json")


def no_tokenizer(
    recipe: Recipe, config: Mapping[str, object], files: Mapping[str, Path], task: str
) -> Iterator[Problem]:
    """A tokenizer that can't be read, for want of a package, or that has no equivalent.

    Args:
        config: the model's config.json.
        files: name -> file; none if nobody knows yet.
        task: Optimum's name.
    """
    if not recipe.conversion.tokenizer:
        return
    allowed, told = "set conversion.tokenizer: false to go without", ""
    if what := pieces.unread(files):
        told = f"its tokenizer ({what}) is read with the package sentencepiece, which is not installed"
        allowed = f"{pieces.INSTALL}, or {allowed}"
    elif exportable.is_direct(config, task) and (what := pieces.unlike(files)):
        told = f"OpenVINO has no equivalent of its tokenizer ({what})"
    if told:
        yield Problem(recipe.where("model"), "model", told, allowed)


def no_end(recipe: Recipe, config: Mapping[str, object], files: Mapping[str, Path], task: str) -> Iterator[Problem]:
    """A model that goes on with a text, and of which no file tells the token that ends one.

    Args:
        config: the model's config.json; one that has no word of it leaves it to its class.
        files: name -> file; none if nobody knows yet.
        task: Optimum's name.
    """
    if family_of(task).gives != "next tokens" or not recipe.conversion.tokenizer or not files:
        return
    if "eos_token_id" not in config or config["eos_token_id"] is not None:
        return
    told = (fs.read_object(files[name]).get(key) for name, key in _END.items() if name in files)
    if not any(one is not None for one in told):
        what = "no file tells the token that ends a text, without which OpenVINO GenAI generates none"
        allowed = "set eos_token_id in config.json, or conversion.tokenizer: false to go without OpenVINO GenAI"
        yield Problem(recipe.where("model"), "model", what, allowed)


def no_vocoder(recipe: Recipe, config: Mapping[str, object], files: Collection[str], task: str) -> Iterator[Problem]:
    """A model that speaks, and has nothing that makes sound of its spectrograms, or is of another kind than SpeechT5.

    Args:
        files: names of those that are there; none if nobody knows yet.
        task: Optimum's name.
    """
    if _SOUNDS not in family_of(task).parts:
        if recipe.model.vocoder:
            what = f"a model for {task} has no vocoder"
            yield Problem(recipe.where("model.vocoder"), "model.vocoder", what, "remove it")
        return
    kind = config.get("model_type")
    if kind != vocoder.SPEAKING:
        what = f"{task}: ovrun knows the parts of SpeechT5 alone, and this is a model of type {kind}"
        yield Problem(recipe.where("model"), "model", what, "convert it with Optimum Intel")
    elif files and vocoder.CONFIG not in files and not recipe.model.vocoder:
        what = f"nothing makes sound of its spectrograms: it has no {vocoder.CONFIG}"
        allowed = "name one as model.vocoder, such as {id: microsoft/speecht5_hifigan}"
        yield Problem(recipe.where("model"), "model", what, allowed)
    elif vocoder.CONFIG in files and recipe.model.vocoder:
        what = f"the model has a vocoder of its own, in its folder {vocoder.FOLDER}"
        yield Problem(recipe.where("model.vocoder"), "model.vocoder", what, "remove one of the two")


def _smoothing(recipe: Recipe, config: Mapping[str, Any]) -> Iterator[Problem]:
    """SmoothQuant is for transformers."""
    listed = isinstance(recipe.resolved.get("compression"), list)
    for index, step in enumerate(recipe.compression):
        asked = isinstance(step, Quantization) and step.model_type is None and quantization_rules.smooths(asdict(step))
        if asked and architecture.is_transformer(config) is False:
            key = f"compression.{index}.advanced" if listed else "compression.advanced"
            what = f"NNCF smooths transformers only, and the model is of type {config['model_type']}"
            yield Problem(recipe.where(f"{key}.smooth_quant_alphas"), f"{key}.smooth_quant_alphas", what, "remove it")


def _compression(recipe: Recipe, config: Mapping[str, Any]) -> Iterator[Problem]:
    listed = isinstance(recipe.resolved.get("compression"), list)
    for index, step in enumerate(recipe.compression):
        if not isinstance(step, WeightCompression) or step.mode.startswith("int8"):
            continue
        key = f"compression.{index}" if listed else "compression"
        yield from _group_size(recipe, step, key, config)
        if step.awq and config.get("model_type") in _NO_AWQ:
            what = f"AWQ does nothing on a model of type {config['model_type']}"
            yield Problem(recipe.where(f"{key}.awq"), f"{key}.awq", what, "remove it, or try scale_estimation")


def _group_size(recipe: Recipe, step: WeightCompression, key: str, config: Mapping[str, Any]) -> Iterator[Problem]:
    found = list(undivided(recipe, step, key, channel_counts(config)))
    yield from found or _backup(recipe, step, key, config)


def undivided(recipe: Recipe, step: WeightCompression, key: str, channels: Mapping[str, int]) -> Iterator[Problem]:
    """A group size that does not divide the channels of all layers.

    Args:
        key: of the step in the recipe.
        channels: name -> input channels of linear layers.
    """
    size = weight_rules.group_size(asdict(step))
    wrong = {name: count for name, count in channels.items() if size > 0 and count % size}
    if not wrong or step.group_size_fallback_mode in ("ignore", "adjust"):
        return
    told = " and ".join(f"{name} = {count}" for name, count in wrong.items())
    if step.mode in _FIXED:
        what = f"{step.mode} has groups of {size}, which doesn't divide the model's {told}"
        allowed = "choose another mode, or let group_size_fallback_mode ignore the layers that don't fit"
        yield Problem(recipe.where(f"{key}.mode"), f"{key}.mode", what, allowed)
        return
    fitting = [str(usual) for usual in _USUAL if not any(count % usual for count in channels.values())]
    default = " (NNCF's default)" if step.group_size is None else ""
    what = f"{size}{default} doesn't divide the model's {told}"
    allowed = f"allowed: {', '.join([*fitting, '-1'])} (-1: one scale a channel)"
    yield Problem(recipe.where(f"{key}.group_size"), f"{key}.group_size", what, allowed)


def _backup(recipe: Recipe, step: WeightCompression, key: str, config: Mapping[str, Any]) -> Iterator[Problem]:
    """Embeddings and the last layer get backup_mode, which has groups of its own where it is a float."""
    backup = weight_rules.backup_mode(asdict(step))
    size = {"mxfp8_e4m3": 32, "fp8_e4m3": weight_rules.group_size(asdict(step))}.get(backup, -1)
    widths = {name: config[name] for name in ("hidden_size", "n_embd", "d_model") if isinstance(config.get(name), int)}
    wrong = [f"{name} = {count}" for name, count in widths.items() if size > 0 and count % size]
    if wrong and not step.all_layers:
        what = f"{backup} has groups of {size}, which doesn't divide the model's {' and '.join(wrong)}"
        yield Problem(
            recipe.where(f"{key}.backup_mode"), f"{key}.backup_mode", what, "allowed: none, int8_sym, int8_asym"
        )


def channel_counts(config: Mapping[str, Any]) -> dict[str, int]:
    """The input channels of a transformer's linear layers that its config tells, by the key that tells them."""
    names = ("hidden_size", "n_embd", "d_model", "intermediate_size", "n_inner")
    counts = {name: config[name] for name in names if isinstance(config.get(name), int)}
    width = counts.get("n_embd", counts.get("hidden_size"))
    if config.get("model_type") == "gpt2" and width and "n_inner" not in counts:
        counts["4 * n_embd"] = 4 * width
    heads, size = config.get("num_attention_heads"), config.get("head_dim")
    if isinstance(heads, int) and isinstance(size, int):
        counts["num_attention_heads * head_dim"] = heads * size
    return counts


def _positions(recipe: Recipe, config: Mapping[str, Any]) -> Iterator[Problem]:
    """No window and no input may be longer than the model has positions."""
    name = next((key for key in ("n_positions", "max_position_embeddings") if isinstance(config.get(key), int)), None)
    if name is None:
        return
    limit = f"at most the model's {name}, {config[name]}"
    for key, length in _lengths(recipe):
        if length > config[name]:
            yield Problem(recipe.where(key), key, f"{length} tokens are more than the model has positions", limit)


def _lengths(recipe: Recipe) -> Iterator[tuple[str, int]]:
    for index, check in enumerate(recipe.accuracy.checks):
        if "context_length" in check.params:
            yield f"accuracy.checks.{index}.context_length", whole(check.params["context_length"])
    steps = isinstance(recipe.resolved.get("compression"), list)
    for index, step in enumerate(recipe.compression):
        control = step.accuracy_control if isinstance(step, Quantization) else None
        if control and "context_length" in control.params:
            key = f"compression.{index}.accuracy_control" if steps else "compression.accuracy_control"
            yield f"{key}.context_length", whole(control.params["context_length"])
    listed = isinstance(recipe.resolved.get("input_info"), list)
    for index, one in enumerate(recipe.input_info):
        if len(one.sample_size) == 2:
            yield f"input_info.{index}.sample_size.1" if listed else "input_info.sample_size.1", one.sample_size[1]
