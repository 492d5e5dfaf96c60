"""What old NNCF configurations ask of training: known by name and parameters, so that a misspelt one is found."""

from __future__ import annotations

import math
from collections.abc import Mapping

from runner.base.words import near
from runner.importers.draft import Draft
from runner.importers.writer import flow
from runner.recipe.judge import legacy
from runner.recipe.origins import KeyPath, dotted

_SCOPES = ("ignored_scopes", "target_scopes", "validate_scopes", "compression_lr_multiplier")
_SPARSITY = (
    *("schedule", "sparsity_level_setting_mode", "sparsity_target", "sparsity_target_epoch", "sparsity_freeze_epoch"),
    *("update_per_optimizer_step", "steps_per_epoch", "multistep_steps", "multistep_sparsity_levels", "patience"),
    *("power", "concave", "sparsity_init", "sparsity_steps", "sparsity_training_steps"),
)
_PRUNING = (
    *("schedule", "pruning_target", "pruning_flops_target", "pruning_steps", "pruning_init", "num_init_steps"),
    *("filter_importance", "interlayer_ranking_type", "all_weights", "prune_first_conv", "prune_last_conv"),
    *("prune_downsample_convs", "prune_batch_norms", "legr_params", "save_ranking_coeffs_path"),
    *("load_ranking_coeffs_path", "zero_grad", "weight_importance"),
)
_MOVEMENT = (
    *("warmup_start_epoch", "warmup_end_epoch", "importance_regularization_factor", "enable_structured_masking"),
    *("power", "init_importance_threshold", "final_importance_threshold", "steps_per_epoch"),
)

_PARAMETERS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "magnitude_sparsity": {
        "": ("sparsity_init", "initializer", "params", "weight_importance", *_SCOPES),
        "params": (*_SPARSITY, "weight_importance"),
    },
    "rb_sparsity": {"": ("sparsity_init", "params", *_SCOPES), "params": _SPARSITY},
    "const_sparsity": {"": _SCOPES},
    "movement_sparsity": {"": ("params", "sparse_structure_by_scopes", *_SCOPES), "params": _MOVEMENT},
    "filter_pruning": {"": ("pruning_init", "initializer", "params", *_SCOPES), "params": _PRUNING},
    "knowledge_distillation": {"": ("type", "scale", "temperature", *_SCOPES)},
    "bootstrapNAS": {"": ("training", "search", "compression")},
    "binarization": {"": ("mode", "params", "initializer", *_SCOPES)},
}
"""Algorithm -> section -> its keys, as nncf/config/schemata and the releases before it have them."""

_RELATIVE = "maximal_relative_accuracy_degradation"
_LIMITS = ("maximal_absolute_accuracy_degradation", _RELATIVE)
"""The first that is stated counts."""
_NO_SHARE = 0.1
"""From here on, an absolute limit is no share of right answers that anybody would lose."""
_COMMON_AA = (_RELATIVE, "maximal_absolute_accuracy_degradation", "maximal_total_epochs")
_ADAPTIVE = (
    *("initial_training_phase_epochs", "initial_compression_rate_step", "compression_rate_step_reduction_factor"),
    *("lr_reduction_factor", "minimal_compression_rate_step", "patience_epochs"),
)
_MODES = {"early_exit": _COMMON_AA, "adaptive_compression_level": (*_COMMON_AA, *_ADAPTIVE)}


def step(draft: Draft, at: KeyPath, step: object) -> None:
    """An algorithm other than quantization: unsupported where it is known, else a mistake."""
    if not isinstance(step, dict):
        draft.wrong(at, f"{flow(step)} is not a mapping", "an algorithm with its parameters")
        return
    name = step.get("algorithm")
    known = ["quantization", "experimental_quantization", *_PARAMETERS]
    if "algorithm" not in step:
        draft.wrong((*at, "algorithm"), "missing", f"allowed: {', '.join(known)}")
    elif not isinstance(name, str) or name not in _PARAMETERS:
        guess = near(str(name), known)
        draft.wrong((*at, "algorithm"), f"{flow(name)} is not known", f"allowed: {', '.join(known)}", guess)
    else:
        _known(draft, at, step, _PARAMETERS[name])
        keys = ", ".join(key for key in _keys(step))
        beside = f" (with {keys})" if keys else ""
        draft.refuse("compression", f"{dotted(at)}.{name}", legacy.TRAINING[name] + beside, draft.source.at(at))


def _keys(step: Mapping[str, object]) -> list[str]:
    params = step.get("params")
    inner = [f"params.{key}" for key in params] if isinstance(params, dict) else []
    return [key for key in step if key not in ("algorithm", "params")] + inner


def _known(draft: Draft, at: KeyPath, step: Mapping[str, object], sections: Mapping[str, tuple[str, ...]]) -> None:
    for section, keys in sections.items():
        inside = step.get(section, {}) if section else step
        path = (*at, section) if section else at
        if not isinstance(inside, dict):
            draft.wrong(path, f"{flow(inside)} is not a mapping", f"a mapping of {', '.join(keys)}")
            continue
        for key in inside:
            if key not in keys and key != "algorithm":
                draft.unknown((*path, key), keys)


def accuracy_aware(draft: Draft, given: object) -> tuple[str, float, str, str] | None:
    """The limit of `accuracy_aware_training`: its old key, the value of today, its kind, and a remark."""
    at: KeyPath = ("accuracy_aware_training",)
    settings = given if isinstance(given, dict) else {}
    mode = settings.get("mode")
    if not isinstance(mode, str) or mode not in _MODES:
        where = (*at, "mode") if "mode" in settings else at
        draft.wrong(where, f"mode {flow(mode)} is not known", f"allowed: {', '.join(_MODES)}", near(str(mode), _MODES))
        return None
    params = settings.get("params", {})
    if not isinstance(params, dict):
        draft.wrong((*at, "params"), f"{flow(params)} is not a mapping", f"a mapping of {', '.join(_MODES[mode])}")
        return None
    _known(draft, at, {k: v for k, v in settings.items() if k != "mode"}, {"": ("params",), "params": _MODES[mode]})
    limits = {key: params[key] for key in _LIMITS if params.get(key) is not None}
    for key, value in limits.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
            draft.wrong((*at, "params", key), f"{flow(value)} is not a number of at least 0")
            return None
    key = next(iter(limits), _RELATIVE)
    others = ["mode", *(f"params.{other}" for other in params if other != key)]
    draft.drop("compression", f"accuracy_aware_training ({', '.join(others)})", "training is done")
    return f"accuracy_aware_training.params.{key}", *_limit(key, limits.get(key))


def _limit(key: str, value: float | None) -> tuple[float, str, str]:
    """A limit of today, its kind, and a remark.

    The old absolute limit is in the unit of the training script's metric; NNCF's own scripts have percent.
    """
    if key == _RELATIVE:
        said = f" ({value} percent)" if value is not None else ", which was 1 percent where nothing was stated"
        return round((1.0 if value is None else value) / 100, 12), "relative", said
    assert value is not None
    if value >= _NO_SHARE:
        return round(value / 100, 12), "absolute", f" ({value} percent points; a metric that is a share loses so much)"
    return value, "absolute", " (taken as a share; in percent points it would be a hundredth of that)"
