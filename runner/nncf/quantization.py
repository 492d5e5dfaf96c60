"""A quantization step's parameters as the arguments of `nncf.quantize`; what the recipe leaves out stays NNCF's own."""

from __future__ import annotations

from types import ModuleType

from runner.base.values import mapping, section, text
from runner.nncf import process as nncf_process
from runner.recipe.types import Quantization


def arguments(nncf: ModuleType, step: Quantization, target_device: str, model_type: str | None) -> dict[str, object]:
    """The keyword arguments of `nncf.quantize`.

    Args:
        nncf: the library.
        step: of the recipe.
        target_device: as the recipe names it.
        model_type: `transformer`, or None for any other model.
    """
    found: dict[str, object] = {
        "target_device": nncf.TargetDevice(target_device),
        "subset_size": step.subset_size,
        "fast_bias_correction": step.fast_bias_correction,
        "advanced_parameters": nncf.AdvancedQuantizationParameters(**_advanced(nncf, step)),
    }
    kinds = {"mode": nncf.QuantizationMode, "preset": nncf.QuantizationPreset}
    found |= {name: kind(getattr(step, name)) for name, kind in kinds.items() if getattr(step, name) is not None}
    if model_type is not None:
        found["model_type"] = nncf.ModelType(model_type)
    if step.ignored_scope is not None:
        found["ignored_scope"] = nncf_process.ignored_scope(nncf, step.ignored_scope)
    return found


def _advanced(nncf: ModuleType, step: Quantization) -> dict[str, object]:
    """The fields of `nncf.AdvancedQuantizationParameters`, with NNCF's own objects in them."""
    from nncf.common.quantization.quantizer_propagation.structs import QuantizerPropagationRule
    from nncf.quantization import advanced_parameters as nested

    fields = dict(step.advanced or {})
    fields["quantize_outputs"] = step.quantize_outputs
    if step.overflow_fix is not None:
        fields["overflow_fix"] = nested.OverflowFix(step.overflow_fix)
    if "quantizer_propagation_rule" in fields:
        fields["quantizer_propagation_rule"] = QuantizerPropagationRule[
            text(fields["quantizer_propagation_rule"]).upper()
        ]
    if "smooth_quant_alphas" in fields:
        fields["smooth_quant_alphas"] = nested.AdvancedSmoothQuantParameters(**section(fields, "smooth_quant_alphas"))
    if "bias_correction_params" in fields:
        fields["bias_correction_params"] = nested.AdvancedBiasCorrectionParameters(
            **section(fields, "bias_correction_params")
        )
    for side in ("activations", "weights"):
        for name, make in (("range_estimator_params", _range), ("quantization_params", _quantizers)):
            if f"{side}_{name}" in fields:
                fields[f"{side}_{name}"] = make(fields[f"{side}_{name}"])
    return fields


def _range(given: object) -> object:
    """A range estimator: one of NNCF's by its name, or one made of two bounds."""
    from nncf.quantization import range_estimator as estimators

    if isinstance(given, str):
        return getattr(estimators.RangeEstimatorParametersSet, given.upper())
    kinds = {"statistics_type": estimators.StatisticsType, "aggregator_type": estimators.AggregatorType}
    bounds = {
        bound: {name: kinds[name](value) if name in kinds else value for name, value in mapping(setting).items()}
        for bound, setting in mapping(given).items()
    }
    made = {bound: estimators.StatisticsCollectorParameters(**setting) for bound, setting in bounds.items()}
    return estimators.RangeEstimatorParameters(**made)


def _quantizers(stated: object) -> object:
    from nncf.common.quantization.structs import QuantizationScheme
    from nncf.quantization import advanced_parameters as nested

    given = mapping(stated)
    if "destination_type" in given:
        return nested.FP8QuantizationParameters(nested.FP8Type(given["destination_type"]))
    mode = {"mode": QuantizationScheme(given["mode"])} if "mode" in given else {}
    return nested.QuantizationParameters(**{**given, **mode})
