"""Settings of quantization that contradict each other, or that NNCF would refuse late or ignore without a word.

What a setting is worth was found out by running: results with and without it had the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from runner.base.values import numeric, section
from runner.recipe.judge.wording import Finding
from runner.recipe.origins import KeyPath

_WITH_OUTLIERS = ("quantile", "abs_quantile", "mean_no_outliers", "median_no_outliers")
NO_SLOW_CORRECTION = "NNCF's slower bias correction can't cut a decoder with a key-value cache apart"
_FP8_DEVICES = ("ANY", "CPU")


def overflow_fix(step: Mapping[str, object]) -> str:
    """Where the range of weights is halved, NNCF's own choice where the step doesn't state it."""
    advanced = section(step, "advanced")
    sides = (section(advanced, f"{side}_quantization_params") for side in ("weights", "activations"))
    whole = step.get("mode") or any(side.get("num_bits", 8) != 8 for side in sides)
    return str(step.get("overflow_fix") or ("disable" if whole else "first_layer_only"))


def smooths(step: Mapping[str, object]) -> bool:
    """Whether a step asks for SmoothQuant by itself."""
    alphas = section(section(step, "advanced"), "smooth_quant_alphas")
    return any(numeric(alpha) >= 0 for alpha in alphas.values())


def check(at: KeyPath, step: Mapping[str, object], device: object, task: object) -> Iterator[Finding]:
    """Look at one valid step for a model of some `task` that is meant for `device`."""
    advanced = section(step, "advanced")
    told = (_device(step, device), _modes(step, advanced), _bias(step, advanced, task), _smoothing(step), _hybrid(step))
    for rule in (*told, _weights_range(step, advanced), _outliers(advanced)):
        for found in rule:
            yield Finding((*at, *found.path), found.what, found.allowed)


def _device(step: Mapping[str, object], device: object) -> Iterator[Finding]:
    if "mode" in step and isinstance(device, str) and device not in _FP8_DEVICES:
        what = f"NNCF has {step['mode']} for the CPU only, and target_device is {device}"
        yield Finding(("mode",), what, "set target_device to ANY or CPU, or remove it")


def _modes(step: Mapping[str, object], advanced: Mapping[str, object]) -> Iterator[Finding]:
    """What `preset` and `overflow_fix` say, and what the finer settings say."""
    mode, preset = section(advanced, "activations_quantization_params").get("mode"), step.get("preset")
    if mode and preset and (preset == "mixed") != (mode == "asymmetric"):
        what = f"{mode} activations are not what preset {preset} says"
        yield Finding(("advanced", "activations_quantization_params", "mode"), what, "state one of the two")
    if _weights(advanced).get("mode") == "asymmetric" and overflow_fix(step) != "disable":
        what = f"asymmetric weights can't have the half range of `overflow_fix: {overflow_fix(step)}`"
        stated = "" if "overflow_fix" in step else " (NNCF's default)"
        allowed = "add `overflow_fix: disable`, or remove it"
        yield Finding(("advanced", "weights_quantization_params", "mode"), what + stated, allowed)

    stored = section(advanced, "backend_params").get("compress_weights")
    if stored is False and _weights(advanced).get("num_bits") == 16:
        what = "does nothing: 16-bit weights are stored as floats anyway"
        yield Finding(("advanced", "backend_params", "compress_weights"), what, "remove it")


def _weights(advanced: Mapping[str, object]) -> Mapping[str, object]:
    return section(advanced, "weights_quantization_params")


def _bias(step: Mapping[str, object], advanced: Mapping[str, object], task: object) -> Iterator[Finding]:
    if step.get("fast_bias_correction") is False and isinstance(task, str) and task.endswith("-with-past"):
        yield Finding(("fast_bias_correction",), NO_SLOW_CORRECTION, "remove it")
    if advanced.get("disable_bias_correction") is not True:
        return
    what = "does nothing with `disable_bias_correction: true`"
    if step.get("fast_bias_correction") is False:
        yield Finding(("fast_bias_correction",), what, "remove one of the two")
    if "bias_correction_params" in advanced:
        yield Finding(("advanced", "bias_correction_params"), what, "remove one of the two")


def _smoothing(step: Mapping[str, object]) -> Iterator[Finding]:
    if smooths(step) and step.get("model_type") == "none":
        what = "NNCF smooths transformers only, and model_type is none"
        yield Finding(("advanced", "smooth_quant_alphas"), what, "remove one of the two")


def _hybrid(step: Mapping[str, object]) -> Iterator[Finding]:
    """Hybrid quantization has integers of 8 bits alone, and leaves layers with compressed weights as they are."""
    if "hybrid" not in step:
        return
    if "mode" in step:
        yield Finding(("mode",), "hybrid quantization is in 8-bit integers", "remove one of the two")
    if "accuracy_control" in step:
        what = "accuracy control takes layers back to floats, and weights that were compressed before are none"
        yield Finding(("hybrid",), what, "remove one of the two")
    if numeric(section(section(step, "advanced"), "smooth_quant_alphas").get("matmul", -1)) >= 0:
        what = "does nothing: hybrid quantization leaves out what NNCF smooths"
        yield Finding(("advanced", "smooth_quant_alphas", "matmul"), what, "remove it")


def _weights_range(step: Mapping[str, object], advanced: Mapping[str, object]) -> Iterator[Finding]:
    """Weights are one sample, and where they are symmetric only their largest magnitude counts."""
    at = ("advanced", "weights_range_estimator_params")
    given = advanced.get(at[-1])
    if given == "histogram" and _weights(advanced).get("per_channel") is not False:
        what = "NNCF has no histograms of single channels, and would take minmax"
        yield Finding(
            at, what, "add `per_channel: false` to weights_quantization_params, or choose minmax or mean_quantile"
        )
    if not isinstance(given, dict):
        return
    for bound, setting in given.items():
        if "aggregator_type" in setting:
            what = "does nothing: weights are a single sample, there is nothing to put together"
            yield Finding((*at, bound, "aggregator_type"), what, "remove it")
    if "min" in given and "mode" not in step and _weights(advanced).get("mode") != "asymmetric":
        yield Finding((*at, "min"), "does nothing: symmetric weights are bounded by max alone", "remove it")


def _outliers(advanced: Mapping[str, object]) -> Iterator[Finding]:
    for side in ("activations", "weights"):
        name = f"{side}_range_estimator_params"
        given = advanced.get(name)
        for bound, setting in given.items() if isinstance(given, dict) else ():
            used = (setting.get("statistics_type"), setting.get("aggregator_type"))
            if "quantile_outlier_prob" in setting and not set(used) & set(_WITH_OUTLIERS):
                what = "does nothing unless statistics_type is a quantile, or aggregator_type leaves out outliers"
                yield Finding(("advanced", name, bound, "quantile_outlier_prob"), what, "add one of them, or remove it")
