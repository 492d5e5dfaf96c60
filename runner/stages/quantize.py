"""Quantize: `nncf.quantize`, 8-bit weights and activations after training, on an OpenVINO IR."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from runner import ir, nncf_process
from runner.errors import Problem, RecipeError
from runner.stages import Progress, Task

REVISION = 1
PREPARE_ONCE = True


def libraries(params: Mapping[str, Any]) -> tuple[str, ...]:
    """Calibration runs the model and, for text, its tokenizer."""
    return ("nncf", "numpy", "openvino", "tokenizers")


def prepare(params: Mapping[str, Any]) -> None:
    """Import NNCF."""
    nncf_process.import_nncf()


def run(task: Task, progress: Progress) -> dict[str, Any]:
    """Fill `task.out` with the quantized model and everything else of its input's folder."""
    from runner.data.calibration import calibration_items

    nncf = nncf_process.load(progress)
    params, source = task.params, task.inputs["model"]
    model = ir.read(source)
    before = ir.compressed_by(model)
    if before and not (before == "weight_compression" and params["after_weight_compression"]):
        what = f"the model went through NNCF's {before} before; quantizing it again would only add error"
        raise RecipeError([Problem("", "algorithm", what, "start from an uncompressed model")])
    model_type = params["model_type"] or ir.model_type(model)
    items = calibration_items(
        task.datasets["calibration"], model, source, params["subset_size"], task.seed, params["sequence_length"]
    )
    try:
        model = nncf.quantize(model, nncf.Dataset(items), **_arguments(nncf, params, model_type))
    except nncf.ValidationError as error:
        raise RecipeError([Problem("", "", f"NNCF refuses this: {str(error).strip()}")]) from error
    quantizers = sum(node.get_type_name() == "FakeQuantize" for node in model.get_ops())
    if not quantizers:
        allowed = "the ignored scope leaves nothing to quantize"
        raise RecipeError([Problem("", "algorithm", "no layer of the model was quantized", allowed)])
    ir.write(model, source, task.out)
    return {
        "constants": ir.constants(model),
        "quantizers": quantizers,
        "calibration_items": len(items),
        "model_type": model_type,
    }


def _arguments(nncf: Any, params: Mapping[str, Any], model_type: str | None) -> dict[str, Any]:
    """The keyword arguments of `nncf.quantize`; what the recipe leaves out stays NNCF's own default."""
    arguments: dict[str, Any] = {
        "target_device": nncf.TargetDevice(params["target_device"]),
        "subset_size": params["subset_size"],
        "fast_bias_correction": params["fast_bias_correction"],
        "advanced_parameters": _advanced(nncf, params),
    }
    if params["preset"] is not None:
        arguments["preset"] = nncf.QuantizationPreset(params["preset"])
    if model_type is not None:
        arguments["model_type"] = nncf.ModelType(model_type)
    if params["ignored_scope"] is not None:
        arguments["ignored_scope"] = nncf_process.ignored_scope(nncf, params["ignored_scope"])
    return arguments


def _advanced(nncf: Any, params: Mapping[str, Any]) -> Any:
    from nncf.quantization.advanced_parameters import AdvancedSmoothQuantParameters, OverflowFix
    from nncf.quantization.range_estimator import RangeEstimatorParametersSet

    advanced = nncf.AdvancedQuantizationParameters(quantize_outputs=params["quantize_outputs"])
    if params["overflow_fix"] is not None:
        advanced.overflow_fix = OverflowFix(params["overflow_fix"])
    if params["smooth_quant_alpha"] is not None:
        advanced.smooth_quant_alphas = AdvancedSmoothQuantParameters(matmul=params["smooth_quant_alpha"])
    for side in ("activations", "weights"):
        name = params[f"{side}_range_estimator"]
        if name is not None:
            setattr(advanced, f"{side}_range_estimator_params", getattr(RangeEstimatorParametersSet, name.upper()))
    return advanced
