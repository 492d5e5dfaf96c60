"""openvino_config.json: what was done to a model, as Optimum Intel's own classes say it, beside the model.

Only a model that has one of Optimum's classes gets the file, and only if these can say what was done to each of its
parts: bits and types of weights and activations. Finer settings that they have no name for are left out; the manifest
has all. `from_pretrained` doesn't read the file.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

import runner.base.files as fs
from runner.base.keys import version_of
from runner.base.values import section
from runner.importers.optimum import FLOATS, FULL, WEIGHTS
from runner.model.listing import CONFIG
from runner.model.parts import WHOLE, part_of
from runner.model.pipeline import INDEX
from runner.recipe.judge.weight_rules import INT8, group_size
from runner.recipe.types import IgnoredScope, Quantization, WeightCompression
from runner.registry.tasks import family_of
from runner.stages import compress, quantize

if TYPE_CHECKING:
    from runner.artifact.types import Manifest
    from runner.plan.types import Plan

FILE = "openvino_config.json"
_BACKUPS = ("none", "int8_sym", "int8_asym")
_FOUR_BITS = {"int4_sym": "int4", "int4_asym": "int4", "mxfp4": "mxfp4", "nf4": "nf4", "cb4": "cb4"}
"""Modes that OVWeightQuantizationConfig has besides int8 -> its dtype."""
_OWN_TYPES = ("activations_quantization_params", "weights_quantization_params")
"""Fields of `advanced` that change the types of a quantized model."""
_LANGUAGE_MODEL = "language_model"
Steps = Sequence[WeightCompression | Quantization]
Said = dict[str, object]


class Unsayable(Exception):
    """Optimum's classes have no words for it."""


def put(folder: Path, plan: Plan, manifest: Manifest) -> list[str]:
    """Write the file into a version's folder; the names of the files that were written.

    One that came with the source is replaced, or removed if it doesn't tell what the model is any more; where the
    recipe did nothing to the model, it stays.
    """
    parts = list(dict.fromkeys(part for name in manifest["files"] if (part := part_of(name))))
    done = {part: steps for part in parts if (steps := _steps(plan, part, manifest))}
    if not done:
        return []
    path = folder / FILE
    before = fs.read_object(path) if FILE in manifest["files"] else {}
    path.unlink(missing_ok=True)  # it may be a link to the store's
    manifest["files"].pop(FILE, None)
    loaded_by_optimum = family_of(plan.located.task).users_load and {CONFIG, INDEX} & manifest["files"].keys()
    if not loaded_by_optimum or before.get("quantization_config"):
        return []
    try:
        told = _configuration(plan, done, parts)
    except Unsayable:
        return []
    path.write_text(json.dumps(told, indent=2, sort_keys=True) + "\n", encoding="utf-8", newline="\n")
    return [FILE]


def _steps(plan: Plan, part: str, manifest: Manifest) -> Steps:
    """What the stages of a plan did to a part, in their order, with the model type that was found out."""
    results = {stage["key"]: stage.get("result", {}) for stage in manifest["stages"]}
    steps: list[WeightCompression | Quantization] = []
    for stage in plan.stages:
        params = stage.params
        if isinstance(params, compress.Params | quantize.Params) and _is_for(params, part):
            steps.append(_found(params.step, results.get(stage.key, {})))
    return steps


def _is_for(params: compress.Params | quantize.Params, part: str) -> bool:
    return params.part == part or (params.part is None and part not in getattr(params, "without", ()))


def _found(step: WeightCompression | Quantization, result: Mapping[str, object]) -> WeightCompression | Quantization:
    """A step with what the stage found out itself."""
    if isinstance(step, WeightCompression) or "model_type" not in result:
        return step
    return replace(step, model_type=str(result["model_type"] or "none"))


def _configuration(plan: Plan, done: Mapping[str, Steps], parts: Sequence[str]) -> Said:
    """An OVConfig as it is written."""
    configs = {_optimum_name(part, parts): quantization_of(steps) for part, steps in sorted(done.items())}
    quantization = configs[WHOLE] if parts == [WHOLE] else _pipeline(configs)
    return {
        "dtype": "_".join(_dtype(config) for config in configs.values()),
        "input_info": None,
        "optimum_version": version_of("optimum"),
        "quantization_config": quantization,
        "save_onnx_model": False,
        "transformers_version": version_of("transformers"),
    }


def _optimum_name(part: str, parts: Sequence[str]) -> str:
    """How Optimum calls a part; those of models that see and write by other names than their files."""
    if _LANGUAGE_MODEL not in parts:
        return part
    return "lm_model" if part == _LANGUAGE_MODEL else f"{part}_model"


def _pipeline(configs: Mapping[str, Said]) -> Said:
    """OVPipelineQuantizationConfig: parts that it doesn't name are as they were converted."""
    return {**_shared(None, None), "default_config": None, "quantization_configs": dict(configs)}


def quantization_of(steps: Steps) -> Said:
    """What was done to one part, as one of Optimum's quantization configurations.

    Raises:
        Unsayable: none of them has words for it.
    """
    match steps:
        case [WeightCompression() as step]:
            return _weights(step)
        case [Quantization() as step]:
            return _hybrid(step) if step.hybrid else _full(step)
        case [WeightCompression() as first, Quantization() as second]:
            weights, full = _weights(first), _full(second)
            if weights["bits"] == 4 and weights["backup_precision"] is None:
                weights["backup_precision"] = "int8_asym"  # Optimum takes none where this isn't stated
            return {
                **_shared(None, second.subset_size),
                "weight_quantization_config": weights,
                "full_quantization_config": full,
            }
    raise Unsayable


def _dtype(config: Mapping[str, object]) -> str:
    """As OVConfig makes it of a configuration."""
    inner = [config[name] for name in ("weight_quantization_config", "full_quantization_config") if name in config]
    return "_".join(_dtype(one) for one in inner if isinstance(one, dict)) or str(config["dtype"])


def _shared(scope: IgnoredScope | None, samples: int | None) -> Said:
    """What all configurations have. Data of a recipe are files of its own, for which Optimum has no name."""
    kept = {name: value for name, value in asdict(scope).items() if value != ()} if scope else None
    unnamed: Said = dict.fromkeys(("dataset", "processor", "tokenizer"))
    return {**unnamed, "_dataset_kwargs": {}, "ignored_scope": kept, "num_samples": samples}


def _weights(step: WeightCompression) -> Said:
    """OVWeightQuantizationConfig."""
    stated = {name: value for name, value in vars(step).items() if value is not None}
    told: Said = {
        **dict.fromkeys(WEIGHTS),
        **_shared(step.ignored_scope, step.subset_size if step.dataset else None),
        "bits": 8 if step.mode in INT8 else 4,
        "dtype": "int8" if step.mode in INT8 else _said(_FOUR_BITS, step.mode),
        "sym": step.mode.endswith("_sym") if step.mode.startswith("int") else None,  # the others are by themselves
        "group_size": group_size(stated),
        "ratio": 1.0 if step.ratio is None else step.ratio,
        "quant_method": "awq" if step.awq else "default",
        "group_size_fallback": step.group_size_fallback_mode,
        "sensitivity_metric": step.sensitivity_metric,
        "backup_precision": _backup(step),
    }
    return told | {
        name: getattr(step, name) or None for name in ("all_layers", "gptq", "lora_correction", "scale_estimation")
    }


def _backup(step: WeightCompression) -> str | None:
    """The type of the other layers; where a recipe states none, it is NNCF's own for Optimum too."""
    if step.backup_mode not in (None, *_BACKUPS):
        raise Unsayable
    return None if step.mode in INT8 else step.backup_mode


def _hybrid(step: Quantization) -> Said:
    """OVWeightQuantizationConfig of the weights that are compressed; that the rest is quantized is its method."""
    weights = WeightCompression(str(step.hybrid), ignored_scope=step.ignored_scope)
    return {**_weights(weights), "quant_method": "hybrid", "num_samples": step.subset_size}


def _full(step: Quantization) -> Said:
    """OVQuantizationConfig."""
    advanced = step.advanced or {}
    if step.model_type is None or any(name in advanced for name in _OWN_TYPES):
        raise Unsayable
    model_type = None if step.model_type == "none" else step.model_type
    names = {mode: name for name, mode in FLOATS.items()}
    preset = step.preset or ("mixed" if model_type else "performance")
    fix = step.overflow_fix or ("disable" if step.mode else "first_layer_only")
    return {
        **dict.fromkeys(FULL),
        **_shared(step.ignored_scope, step.subset_size),
        "bits": 8,
        "dtype": _said(names, step.mode) if step.mode else "int8",
        "sym": bool(step.mode) or preset == "performance",
        "model_type": model_type,
        "fast_bias_correction": step.fast_bias_correction,
        "overflow_fix": fix,
        "smooth_quant_alpha": section(advanced, "smooth_quant_alphas").get("matmul"),
    }


def _said(names: Mapping[str, str], mode: str) -> str:
    if mode not in names:
        raise Unsayable
    return names[mode]
