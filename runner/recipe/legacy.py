"""The configuration grammar of NNCF before 3.0 -> today's parameters.

What the old configuration leaves out takes today's default. What has no counterpart is a mistake that says what to do
instead. The old grammar is that of nncf/config/schemata in NNCF 2.19.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from runner.recipe.origins import KeyPath

LEGACY_ONLY = frozenset(
    {"initializer", "ignored_scopes", "validate_scopes", "weights", "activations", "quantize_inputs"}
)
"""Keys that only the old grammar has, and that can be valid."""

_TRAINING = "is a method for training on PyTorch and has no counterpart after training"
_SPARSITY = "needs training on PyTorch; ovrun compresses trained models"

_SPARSE = ("magnitude_sparsity", "rb_sparsity", "const_sparsity", "movement_sparsity", "filter_pruning")

OLD_KEYS: Mapping[str, str] = {
    "accuracy_aware_training": "belongs to training; state the drop that is allowed as `max_drop` of a check",
    "compression_lr_multiplier": "belongs to training; remove it",
    "disable_shape_matching": "has no counterpart today; remove it",
    "hw_config_type": "is `target_device` today",
    "log_dir": "the log of a run lies in its folder; remove it",
    "ignored_scopes": "is `ignored_scope` of a step of `compression`, with names, patterns and types",
}
"""Old keys that no section takes -> what to do."""

OLD_VALUES: Mapping[tuple[str, str], str] = {
    **{("algorithm", name): f'"{name}" {_SPARSITY}' for name in _SPARSE},
    **{("algorithm", name): f'"{name}" {_TRAINING}' for name in ("knowledge_distillation", "bootstrapNAS")},
    ("algorithm", "experimental_quantization"): '"experimental_quantization" is `quantization` today',
    ("target_device", "TRIAL"): '"TRIAL" is gone from NNCF; ANY suits every device',
    ("target_device", "VPU"): '"VPU" is gone from NNCF; its successor is NPU',
}
"""Old values -> what to say of them."""

_ESTIMATORS = {
    "mixed_min_max": "minmax",
    "min_max": "minmax",
    "mean_min_max": "mean_minmax",
    "mean_percentile": "mean_quantile",
    "percentile": "mean_quantile",
}

Refusal = tuple[KeyPath, str]
"""A key path inside the step, and what is wrong and what to do."""


@dataclass
class Converted:
    """A step of the old grammar as today's: the step, remarks by key, and what can't be had today."""

    step: dict[str, Any]
    notes: list[tuple[KeyPath, str]] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)


def is_legacy(step: Any) -> bool:
    """Whether a step of `compression` is written in the old grammar."""
    return isinstance(step, dict) and step.get("algorithm") == "quantization" and not LEGACY_ONLY.isdisjoint(step)


def convert(step: Mapping[str, Any], datasets: Mapping[str, Any]) -> Converted:
    """Today's form of a valid step in the old grammar."""
    kept = ("algorithm", "dataset", "model_type", "preset", "overflow_fix", "quantize_outputs")
    result = Converted({key: step[key] for key in kept if key in step})
    initializer = step.get("initializer", {})
    _dataset(result, datasets)
    result.refusals += _precision(initializer.get("precision", {}), result)
    _range(initializer.get("range", {}), result)
    if "batchnorm_adaptation" in initializer:
        path = ("initializer", "batchnorm_adaptation")
        result.notes.append((path, "bias correction after quantization supersedes it; it is always on"))
    _scopes(step, result)
    result.refusals += [*_weights(step.get("weights", {})), *_activations(step.get("activations", {}), result)]
    return result


def _dataset(result: Converted, datasets: Mapping[str, Any]) -> None:
    """The old grammar left calibration data to the training script."""
    if "dataset" in result.step:
        return
    if "calibration" in datasets or len(datasets) == 1:
        result.step["dataset"] = "calibration" if "calibration" in datasets else next(iter(datasets))
        return
    what = "missing; the old grammar names no calibration data: name a dataset here, or call one `calibration`"
    result.refusals.append((("dataset",), what))


def _precision(precision: Mapping[str, Any], result: Converted) -> Iterator[Refusal]:
    at = ("initializer", "precision")
    if precision.get("type") == "hawq":
        instead = "algorithm weight_compression, mode int4_sym, a ratio below 1, hessian_input_activation"
        yield (*at, "type"), f"HAWQ chose bit widths for training; the nearest today is {instead}"
    if precision.get("type") == "autoq":
        yield (*at, "type"), "AutoQ is gone; the nearest today is algorithm weight_compression with a ratio"
    for index, (bits, _) in enumerate(precision.get("bitwidth_per_scope", [])):
        if bits != 8:
            yield (*at, "bitwidth_per_scope", index), _bits(bits)
    for index, bits in enumerate(precision.get("bits", [])):
        if bits != 8:
            yield (*at, "bits", index), _bits(bits)
    if all(bits == 8 for bits, _ in precision.get("bitwidth_per_scope", [])) and "bitwidth_per_scope" in precision:
        result.notes.append(((*at, "bitwidth_per_scope"), "8 bits everywhere is what quantization does"))


def _bits(bits: int) -> str:
    if bits < 8:
        return f"{bits} bits can only be had for weights alone: algorithm weight_compression, mode int4_sym"
    return f"{bits} bits can't be had; quantization has 8"


def _range(setting: Any, result: Converted) -> None:
    """`range`: one setting, or a list of one a group of quantizers."""
    settings = setting if isinstance(setting, list) else [setting]
    sizes = [one["num_init_samples"] for one in settings if "num_init_samples" in one]
    at: KeyPath = ("initializer", "range")
    if sizes:
        result.step["subset_size"] = max(sizes)
    if len(set(sizes)) > 1:
        result.notes.append((at, f"weights and activations share their samples today: {max(sizes)} are taken"))
    for index, one in enumerate(settings):
        _range_type(one, (*at, index) if isinstance(setting, list) else at, result)


def _range_type(setting: Mapping[str, Any], at: KeyPath, result: Converted) -> None:
    kind = setting.get("type")
    if "params" in setting:
        result.refusals.append(((*at, "params"), "percentiles can't be set; NNCF's own are 0.01 and 99.99; remove it"))
    if kind == "threesigma":
        what = "threesigma has no counterpart today; take mean_min_max or mean_percentile"
        result.refusals.append(((*at, "type"), what))
    elif kind:
        for group in [setting["target_quantizer_group"]] if "target_quantizer_group" in setting else _GROUPS:
            result.step[f"{group}_range_estimator"] = _ESTIMATORS[kind]
    if kind == "percentile":
        result.notes.append(((*at, "type"), "taken as mean_percentile, the nearest of today"))


_GROUPS = ("weights", "activations")


def _scopes(step: Mapping[str, Any], result: Converted) -> None:
    given = step.get("ignored_scopes", [])
    scopes = [given] if isinstance(given, str) else given
    patterns = [scope.removeprefix("{re}") for scope in scopes if scope.startswith("{re}")]
    names = [scope for scope in scopes if not scope.startswith("{re}")]
    if scopes:
        ignored = {"names": names, "patterns": patterns, "validate": step.get("validate_scopes", True)}
        result.step["ignored_scope"] = {key: value for key, value in ignored.items() if value != []}
        what = "these have to be names of the OpenVINO model; the old ones were those of PyTorch scopes"
        result.notes.append((("ignored_scopes",), what))


def _weights(weights: Mapping[str, Any]) -> Iterator[Refusal]:
    if weights.get("mode") == "asymmetric":
        yield ("weights", "mode"), "weights are always symmetric in quantization today; remove it"
    if weights.get("per_channel") is False:
        yield ("weights", "per_channel"), "weights always have one scale a channel today; remove it"
    yield from _quantizers("weights", weights)


def _activations(activations: Mapping[str, Any], result: Converted) -> Iterator[Refusal]:
    if mode := activations.get("mode"):
        preset = "mixed" if mode == "asymmetric" else "performance"
        if result.step.setdefault("preset", preset) != preset:
            yield ("activations", "mode"), f"{mode} activations are preset {preset}, and preset says otherwise"
    if activations.get("per_channel"):
        yield ("activations", "per_channel"), "activations always have one scale a tensor today; remove it"
    yield from _quantizers("activations", activations)


def _quantizers(group: str, setting: Mapping[str, Any]) -> Iterator[Refusal]:
    if setting.get("bits", 8) != 8:
        yield (group, "bits"), _bits(setting["bits"])
    if "signed" in setting:
        yield (group, "signed"), "signedness follows from the data today; remove it"
    if "ignored_scopes" in setting:
        yield (group, "ignored_scopes"), "is for weights and activations together today; put it into the step itself"
