"""Settings of weight compression that contradict each other, or that NNCF would ignore without a word.

What a setting is worth was found out by running: results with and without it had the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise

from runner.base.values import section, whole
from runner.recipe.judge.wording import Finding
from runner.recipe.origins import KeyPath

INT8 = frozenset({"int8_sym", "int8_asym"})
_CODEBOOK_SIZE = 16
_METHODS = ("awq", "scale_estimation", "gptq", "lora_correction")
_OF_ACTIVATIONS = ("subset_size", "percent_to_apply", "alpha_min", "alpha_max", "steps", "prefer_data_aware_scaling")


def group_size(step: Mapping[str, object]) -> int:
    """The group size of a step, NNCF's own where the step doesn't state one."""
    mode, stated = str(step.get("mode")), step.get("group_size")
    if isinstance(stated, int | float):
        return int(stated)
    if mode in INT8 or mode in ("cb4", "codebook", "adaptive_codebook"):
        return -1
    return {"mxfp4": 32, "mxfp8_e4m3": 32, "nvfp4": 16}.get(mode, 128)


def backup_mode(step: Mapping[str, object]) -> str:
    """The type of the layers that don't get the mode's, NNCF's own where the step doesn't state one."""
    own = {"mxfp4": "mxfp8_e4m3", "mxfp8_e4m3": "mxfp8_e4m3", "fp4": "fp8_e4m3", "fp8_e4m3": "fp8_e4m3"}
    return str(step.get("backup_mode") or own.get(str(step.get("mode")), "int8_asym"))


def codebook_size(step: Mapping[str, object]) -> int:
    """How many values the codebook of a step has."""
    advanced = section(step, "advanced")
    fitted, stated = section(advanced, "adaptive_codebook_params").get("num_elements"), advanced.get("codebook")
    return whole(fitted or (len(stated) if isinstance(stated, list | tuple) else 0) or _CODEBOOK_SIZE)


def check(at: KeyPath, step: Mapping[str, object]) -> Iterator[Finding]:
    """Look at one step; what is known to be wrong in it has been left out."""
    if step.get("mode") in INT8:
        return
    advanced = step.get("advanced")
    advanced = advanced if isinstance(advanced, dict) else {}
    told = (_choice(step), _adaptive(step), _data(step, advanced), _fallback(step, advanced), _methods(step, advanced))
    for rule in (*told, _awq(step, advanced), _codebook(step, advanced)):
        for found in rule:
            yield Finding((*at, *found.path), found.what, found.allowed)


def _choice(step: Mapping[str, object]) -> Iterator[Finding]:
    """`ratio` and what goes with it choose between two types."""
    mode, ratio = step.get("mode"), step.get("ratio")
    if mode == backup_mode(step):
        what = f"does nothing here: the other layers get {mode} as well, by backup_mode"
        allowed = "choose another backup_mode, or remove it"
        if isinstance(ratio, int | float) and ratio < 1:
            yield Finding(("ratio",), what, allowed)
        if step.get("all_layers") is True:
            yield Finding(("all_layers",), what, allowed)
    if "sensitivity_metric" in step and ratio == 1:
        what = "only tells which layers fall out of ratio, and with ratio 1 none does"
        yield Finding(("sensitivity_metric",), what, "lower ratio, or remove it")


def _adaptive(step: Mapping[str, object]) -> Iterator[Finding]:
    if step.get("mode") == "adaptive_codebook" and step.get("all_layers") is True:
        what = "adaptive_codebook learns from the inputs of layers, and embeddings have none that it can use"
        yield Finding(("all_layers",), what, "remove it, or choose another mode")


def _data(step: Mapping[str, object], advanced: Mapping[str, object]) -> Iterator[Finding]:
    if isinstance(step.get("dataset"), str) and "mode" in step and not _uses_data(step, advanced):
        what = "nothing uses it: without a data-aware option the result is the same"
        data_aware = "ratio below 1 with a sensitivity_metric that looks at activations, scale_estimation, awq, gptq"
        yield Finding(("dataset",), what, f"add one ({data_aware} …), or remove it")


def _uses_data(step: Mapping[str, object], advanced: Mapping[str, object]) -> bool:
    """A broken value of one of these options might have meant that it uses the data."""
    ratio = step.get("ratio")
    chooses = isinstance(ratio, int | float) and ratio < 1 and mode_differs(step)
    return (
        step["mode"] == "adaptive_codebook"
        or any(step.get(name) is True for name in ("scale_estimation", "gptq", "lora_correction"))
        or (step.get("awq") is True and _looks_at_activations(step, advanced))
        or (chooses and step.get("sensitivity_metric") != "weight_quantization_error")
    )


def mode_differs(step: Mapping[str, object]) -> bool:
    """Whether layers that fall out of `ratio` get another type."""
    return step.get("mode") != backup_mode(step)


def _looks_at_activations(step: Mapping[str, object], advanced: Mapping[str, object]) -> bool:
    """Whether AWQ does; it works on the weights alone without a dataset, or when it is told to."""
    return "dataset" in step and _mapping(advanced, "awq_params").get("prefer_data_aware_scaling") is not False


def _mapping(data: Mapping[str, object], key: str) -> Mapping[str, object]:
    value = data.get(key)
    return value if isinstance(value, dict) else {}


def _fallback(step: Mapping[str, object], advanced: Mapping[str, object]) -> Iterator[Finding]:
    fallback = step.get("group_size_fallback_mode")
    if fallback in ("ignore", "adjust") and "mode" in step and group_size(step) == -1:
        what = "does nothing with one scale a channel, which fits every layer"
        yield Finding(("group_size_fallback_mode",), what, "state a group_size, or remove it")
    if "min_adjusted_group_size" in advanced and fallback != "adjust":
        at = ("advanced", "min_adjusted_group_size")
        yield Finding(at, "does nothing without `group_size_fallback_mode: adjust`", "add that, or remove it")


def _methods(step: Mapping[str, object], advanced: Mapping[str, object]) -> Iterator[Finding]:
    """The settings of a method need the method, and can't use more samples than there are."""
    samples = step.get("subset_size", 128)
    for method in _METHODS:
        key = f"{method}_params"
        if key in advanced and step.get(method) is not True:
            yield Finding(("advanced", key), f"does nothing without `{method}: true`", "add that, or remove it")
        wanted = _mapping(advanced, key).get("subset_size")
        if isinstance(wanted, int) and isinstance(samples, int) and wanted > samples:
            what = f"{wanted} samples are more than there are: subset_size is {samples}"
            yield Finding(("advanced", key, "subset_size"), what, f"at most {samples}, or raise subset_size")


def _awq(step: Mapping[str, object], advanced: Mapping[str, object]) -> Iterator[Finding]:
    params = _mapping(advanced, "awq_params")
    if step.get("awq") is True and not _looks_at_activations(step, advanced):
        for key in params:
            if key in _OF_ACTIVATIONS and params[key] is not False:
                what = "does nothing when AWQ looks at the weights alone"
                yield Finding(("advanced", "awq_params", key), what, "name a dataset for AWQ to use, or remove it")
        return
    low, high = params.get("alpha_min", 0), params.get("alpha_max", 1)
    if isinstance(low, int | float) and isinstance(high, int | float) and low > high:
        yield Finding(("advanced", "awq_params", "alpha_min"), f"{low} is above alpha_max, {high}")


def _codebook(step: Mapping[str, object], advanced: Mapping[str, object]) -> Iterator[Finding]:
    values, fitted = advanced.get("codebook"), _mapping(advanced, "adaptive_codebook_params")
    if isinstance(values, list) and all(isinstance(value, int | float) for value in values):
        wrong = next((pair for pair in pairwise(values) if pair[0] >= pair[1]), None)
        if wrong:
            what = f"not in ascending order: {wrong[1]} comes after {wrong[0]}"
            yield Finding(("advanced", "codebook"), what, "each value once, in ascending order")
        size = fitted.get("num_elements", _CODEBOOK_SIZE)
        if step.get("mode") == "adaptive_codebook" and values and size != len(values):
            what = f"it has {len(values)} values, and adaptive_codebook_params.num_elements is {size}"
            yield Finding(("advanced", "codebook"), what, "the two have to agree")
    if fitted.get("across_blocks") is True and (group_size(step) != -1 or backup_mode(step) != "none"):
        what = "one codebook for several layers needs one scale a channel, and embeddings left uncompressed"
        at = ("advanced", "adaptive_codebook_params", "across_blocks")
        yield Finding(at, what, "group_size -1 together with backup_mode none")
