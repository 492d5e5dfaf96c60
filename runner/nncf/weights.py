"""What a step of weight compression is to `nncf.compress_weights`."""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType

from runner.base.values import section
from runner.nncf import process as nncf_process
from runner.recipe.types import WeightCompression

_PLAIN = ("ratio", "group_size", "all_layers", "awq", "scale_estimation", "gptq", "lora_correction")


def arguments(nncf: ModuleType, step: WeightCompression, more: Mapping[str, object]) -> dict[str, object]:
    """The keyword arguments but for the dataset's; what the recipe leaves out stays NNCF's own default.

    Args:
        more: fields of `nncf.AdvancedCompressionParameters` that the recipe doesn't have.
    """
    found: dict[str, object] = {name: getattr(step, name) for name in _PLAIN if getattr(step, name) is not None}
    found["mode"] = nncf.CompressWeightsMode(step.mode)
    if step.backup_mode is not None:
        found["backup_mode"] = nncf.BackupMode(step.backup_mode)
    if step.sensitivity_metric is not None:
        found["sensitivity_metric"] = nncf.SensitivityMetric(step.sensitivity_metric)
    if step.ignored_scope is not None:
        found["ignored_scope"] = nncf_process.ignored_scope(nncf, step.ignored_scope)
    fields = advanced(step) | dict(more)
    if fields:
        found["advanced_parameters"] = nncf.AdvancedCompressionParameters(**fields)
    return found


def advanced(step: WeightCompression) -> dict[str, object]:
    """The fields of `nncf.AdvancedCompressionParameters`, with NNCF's own objects in them."""
    from nncf.quantization import advanced_parameters as nested

    fields = dict(step.advanced or {})
    if step.group_size_fallback_mode is not None:
        fields["group_size_fallback_mode"] = nested.GroupSizeFallbackMode(step.group_size_fallback_mode)
    kinds = {
        "awq_params": nested.AdvancedAWQParameters,
        "scale_estimation_params": nested.AdvancedScaleEstimationParameters,
        "gptq_params": nested.AdvancedGPTQParameters,
        "lora_correction_params": nested.AdvancedLoraCorrectionParameters,
        "adaptive_codebook_params": nested.AdvancedAdaptiveCodebookParameters,
    }
    for name, kind in kinds.items():
        if name in fields:
            fields[name] = kind(**_typed(section(fields, name)))
    if "codebook" in fields:
        import numpy as np

        fields["codebook"] = np.array(fields["codebook"], dtype=np.float32)
    return fields


def _typed(settings: Mapping[str, object]) -> dict[str, object]:
    """Settings with the element type, which is the only one that NNCF wants as an object."""
    if "value_type" not in settings:
        return dict(settings)
    from nncf.tensor import TensorDataType

    return {**settings, "value_type": TensorDataType[settings["value_type"]]}
