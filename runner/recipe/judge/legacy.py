"""The configuration grammar of NNCF before 3.0 -> today's parameters.

What the old configuration leaves out takes today's default. What has no counterpart is refused with what to do instead.
The old grammar is that of nncf/config/schemata in NNCF 2.19. Recipes and `ovrun import` convert by the same table.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from runner.base.values import listing, mapping, numeric, section, text, texts
from runner.recipe.origins import KeyPath

LEGACY_ONLY = frozenset(
    {"initializer", "ignored_scopes", "validate_scopes", "weights", "activations", "quantize_inputs"}
)
"""Keys that only the old grammar has, and that can be valid."""

_NEAREST = "ovrun compresses trained models, the nearest is weight_compression"

TRAINING: Mapping[str, str] = {
    "magnitude_sparsity": f"sets small weights to zero in training (nncf.prune today, on PyTorch models); {_NEAREST}",
    "rb_sparsity": f"learns in training which weights become zero (nncf.prune today, on PyTorch models); {_NEAREST}",
    "const_sparsity": "keeps the zeros of a sparse model in training; zeros stay zeros in ovrun by themselves",
    "movement_sparsity": f"prunes transformers in fine-tuning, and has no counterpart today; {_NEAREST}",
    "filter_pruning": f"removes filters in training, and has no counterpart today; {_NEAREST}",
    "knowledge_distillation": "trains with a teacher, and has no counterpart after training",
    "bootstrapNAS": "searches architectures in training, and has no counterpart after training",
    "binarization": "has 1-bit weights and activations in training; the fewest bits today are int2_sym of "
    "weight_compression, for weights alone",
    "quantization_aware_training": "trains with quantizers in place; after training it is `quantization`",
    "qat": "is training with quantizers in place; after training it is `quantization`",
}
"""Algorithms of training -> what they are and what to take instead."""

OLD_KEYS: Mapping[str, str] = {
    "accuracy_aware_training": "belongs to training; state the drop that is allowed as `accuracy_control` of "
    "quantization, or as `max_drop` of a check",
    "compression_lr_multiplier": "belongs to training; remove it",
    "disable_shape_matching": "has no counterpart today; remove it",
    "hw_config_type": "is `target_device` today",
    "log_dir": "the log of a run lies in its folder; remove it",
    "ignored_scopes": "is `ignored_scope` of a step of `compression`, with names, patterns and types",
}
"""Old keys that no section takes -> what to do."""

OLD_VALUES: Mapping[tuple[str, str], str] = {
    **{("algorithm", name): f'"{name}" {what}' for name, what in TRAINING.items()},
    ("algorithm", "experimental_quantization"): '"experimental_quantization" is `quantization` today',
    ("target_device", "TRIAL"): '"TRIAL" is gone from NNCF; ANY suits every device',
    ("target_device", "VPU"): '"VPU" is gone from NNCF; its successor is NPU',
}
"""Old values -> what to say of them."""

_ESTIMATORS = {
    "mixed_min_max": ("minmax", "minmax"),
    "min_max": ("minmax", "minmax"),
    "mean_min_max": ("minmax", "mean_minmax"),
    "mean_percentile": ("mean_quantile", "mean_quantile"),
    "percentile": ("mean_quantile", "mean_quantile"),
}
"""Old range type -> estimators of weights, which are a single sample, and of activations."""

_GROUPS = ("weights", "activations")

Refusal = tuple[KeyPath, str]
"""A key path inside the step, and what is wrong and what to do."""


@dataclass
class Converted:
    """A step of the old grammar as today's.

    Attributes:
        step: today's parameters.
        came: key path in `step` -> key path in the old step.
        notes: remarks by old key path.
        refusals: what can't be had today.
    """

    step: dict[str, object] = field(default_factory=dict)
    came: dict[KeyPath, KeyPath] = field(default_factory=dict)
    notes: list[tuple[KeyPath, str]] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)

    def take(self, path: KeyPath, value: object, at: KeyPath) -> None:
        """State a parameter of today that stems from `at`."""
        inside = self.step
        for part in path[:-1]:
            inside = mapping(inside.setdefault(str(part), {}))
        inside[str(path[-1])] = value
        self.came[path] = at


def is_legacy(step: object) -> bool:
    """Whether a step of `compression` is written in the old grammar."""
    return isinstance(step, dict) and step.get("algorithm") == "quantization" and not LEGACY_ONLY.isdisjoint(step)


def convert(step: Mapping[str, object], datasets: Mapping[str, object] | None) -> Converted:
    """Today's form of a valid step in the old grammar; `datasets` None leaves the question of data open."""
    result = Converted()
    for key in ("algorithm", "dataset", "model_type", "preset", "overflow_fix", "quantize_outputs"):
        if key in step:
            result.take((key,), step[key], (key,))
    initializer = section(step, "initializer")
    if datasets is not None:
        _dataset(result, datasets)
    result.refusals += _precision(section(initializer, "precision"), result)
    _range(initializer.get("range", {}), result)
    if "batchnorm_adaptation" in initializer:
        path = ("initializer", "batchnorm_adaptation")
        result.notes.append((path, "bias correction after quantization supersedes it; it is always on"))
    if step.get("quantize_inputs") is True:
        result.notes.append((("quantize_inputs",), "inputs are quantized wherever that helps"))
    _scopes(step, result)
    result.refusals += [
        *_weights(section(step, "weights"), result),
        *_activations(section(step, "activations"), result),
    ]
    return result


def _dataset(result: Converted, datasets: Mapping[str, object]) -> None:
    """The old grammar left calibration data to the training script."""
    if "dataset" in result.step:
        return
    if "calibration" in datasets or len(datasets) == 1:
        result.step["dataset"] = "calibration" if "calibration" in datasets else next(iter(datasets))
        return
    what = "missing; the old grammar names no calibration data: name a dataset here, or call one `calibration`"
    result.refusals.append((("dataset",), what))


def _precision(precision: Mapping[str, object], result: Converted) -> Iterator[Refusal]:
    at = ("initializer", "precision")
    if precision.get("type") == "hawq":
        instead = "algorithm weight_compression, mode int4_sym, a ratio below 1, hessian_input_activation"
        yield (*at, "type"), f"HAWQ chose bit widths for training; the nearest today is {instead}"
    if precision.get("type") == "autoq":
        yield (*at, "type"), "AutoQ is gone; the nearest today is algorithm weight_compression with a ratio"
    for key in ("bits", "bitwidth_per_scope"):
        listed = [entry if key == "bits" else listing(entry)[0] for entry in listing(precision.get(key, []))]
        for index, bits in enumerate(listed):
            if bits != 8:
                yield (*at, key, index), _bits(numeric(bits))
        if listed and all(bits == 8 for bits in listed):
            result.notes.append(((*at, key), "8 bits everywhere is what quantization does"))
    if precision.get("type") == "manual":
        result.notes.append(((*at, "type"), "bit widths are stated, not searched for"))


def _bits(bits: float) -> str:
    if bits < 8:
        return f"{bits} bits can only be had for weights alone: algorithm weight_compression, mode int4_sym"
    return f"{bits} bits can't be had here; quantization has 8, or 16 for all weights or all activations"


def _range(setting: object, result: Converted) -> None:
    """`range`: one setting, or a list of one a group of quantizers."""
    settings = [mapping(one) for one in (setting if isinstance(setting, list) else [setting])]
    sizes = [numeric(one["num_init_samples"]) for one in settings if "num_init_samples" in one]
    at: KeyPath = ("initializer", "range")
    places = [(*at, index) if isinstance(setting, list) else at for index in range(len(settings))]
    if sizes:
        first = next(place for place, one in zip(places, settings, strict=True) if one.get("num_init_samples"))
        result.take(("subset_size",), max(sizes), (*first, "num_init_samples"))
    if len(set(sizes)) > 1:
        result.notes.append((at, f"weights and activations share their samples today: {max(sizes)} are taken"))
    for place, one in zip(places, settings, strict=True):
        _range_type(one, place, result)


def _range_type(setting: Mapping[str, object], at: KeyPath, result: Converted) -> None:
    kind = text(setting.get("type") or "")
    if kind == "threesigma":
        what = "threesigma has no counterpart today; take mean_min_max or mean_percentile"
        result.refusals.append(((*at, "type"), what))
    elif kind:
        for group in [text(setting["target_quantizer_group"])] if "target_quantizer_group" in setting else _GROUPS:
            name = _ESTIMATORS[kind][_GROUPS.index(group)]
            percentiles = _percentiles(setting, group) if name == "mean_quantile" else None
            result.take(("advanced", f"{group}_range_estimator_params"), percentiles or name, (*at, "type"))
    if kind == "percentile":
        result.notes.append(((*at, "type"), "taken as mean_percentile, the nearest of today"))
    if "params" in setting and kind not in ("percentile", "mean_percentile"):
        result.refusals.append(((*at, "params"), "percentiles belong to percentile and mean_percentile; remove it"))


def _percentiles(setting: Mapping[str, object], group: str) -> dict[str, dict[str, object]] | None:
    """Bounds with the percentiles of `params` as shares of outliers; None where none are given."""
    params = section(setting, "params")
    given = {
        "min": numeric(params["min_percentile"]) / 100 if "min_percentile" in params else None,
        "max": (100 - numeric(params["max_percentile"])) / 100 if "max_percentile" in params else None,
    }
    common = {"statistics_type": "quantile", **({"aggregator_type": "mean"} if group == "activations" else {})}
    bounds = {
        key: {**common, "quantile_outlier_prob": round(share, 9)} for key, share in given.items() if share is not None
    }
    return bounds or None


def _scopes(step: Mapping[str, object], result: Converted) -> None:
    given = step.get("ignored_scopes", [])
    scopes = [given] if isinstance(given, str) else texts(given)
    at: KeyPath = ("ignored_scopes",)
    patterns = [scope.removeprefix("{re}") for scope in scopes if scope.startswith("{re}")]
    names = [scope for scope in scopes if not scope.startswith("{re}")]
    for key, kept in (("names", names), ("patterns", patterns)):
        if kept:
            result.take(("ignored_scope", key), kept, at)
    if scopes:
        validate = ("validate_scopes",) if "validate_scopes" in step else at
        result.take(("ignored_scope", "validate"), step.get("validate_scopes", True), validate)
        what = "these have to be names of the OpenVINO model; the old ones were those of PyTorch scopes"
        result.notes.append((at, what))
    elif "validate_scopes" in step:
        result.notes.append((("validate_scopes",), "without ignored scopes there is nothing to validate"))


def _weights(weights: Mapping[str, object], result: Converted) -> Iterator[Refusal]:
    today = ("advanced", "weights_quantization_params")
    if weights.get("mode") == "asymmetric":
        if result.step.get("overflow_fix") == "disable":
            result.take((*today, "mode"), "asymmetric", ("weights", "mode"))
        else:
            yield ("weights", "mode"), "asymmetric weights need `overflow_fix: disable` today; add that, or remove it"
    elif "mode" in weights:
        result.notes.append((("weights", "mode"), "weights are symmetric by themselves"))
    if weights.get("per_channel") is False:
        result.take((*today, "per_channel"), False, ("weights", "per_channel"))
    elif "per_channel" in weights:
        result.notes.append((("weights", "per_channel"), "weights have one scale a channel by themselves"))
    yield from _quantizers("weights", weights, result)


def _activations(activations: Mapping[str, object], result: Converted) -> Iterator[Refusal]:
    if mode := activations.get("mode"):
        preset = "mixed" if mode == "asymmetric" else "performance"
        if "preset" not in result.step:
            result.take(("preset",), preset, ("activations", "mode"))
        elif result.step["preset"] != preset:
            yield ("activations", "mode"), f"{mode} activations are preset {preset}, and preset says otherwise"
    if activations.get("per_channel"):
        yield ("activations", "per_channel"), "activations always have one scale a tensor today; remove it"
    elif "per_channel" in activations:
        result.notes.append((("activations", "per_channel"), "activations have one scale a tensor by themselves"))
    yield from _quantizers("activations", activations, result)


def _quantizers(group: str, setting: Mapping[str, object], result: Converted) -> Iterator[Refusal]:
    if setting.get("bits", 8) == 16:
        result.take(("advanced", f"{group}_quantization_params", "num_bits"), 16, (group, "bits"))
    elif setting.get("bits", 8) != 8:
        yield (group, "bits"), _bits(numeric(setting["bits"]))
    elif "bits" in setting:
        result.notes.append(((group, "bits"), "8 bits are what quantization does"))
    if "signed" in setting:
        yield (group, "signed"), "signedness follows from the data today; remove it"
    if "ignored_scopes" in setting:
        yield (group, "ignored_scopes"), "is for weights and activations together today; put it into the step itself"
    if "validate_scopes" in setting:
        result.notes.append(((group, "validate_scopes"), "without scopes there is nothing to validate"))
