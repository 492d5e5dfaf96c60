"""Optimum Intel's settings for weights and activations -> `quantization`."""

from __future__ import annotations

from runner.importers.draft import Draft
from runner.importers.optimum import FLOATS, SAMPLES, Settings, dataset, others, scope, wrong
from runner.importers.writer import flow
from runner.recipe.origins import KeyPath


def full_step(draft: Draft, path: KeyPath, settings: Settings, samples: int = SAMPLES) -> None:
    """OVQuantizationConfig as `quantization`.

    Args:
        samples: how many Optimum Intel takes where none are stated.
    """
    kind = settings["dtype"] or "int8"
    if settings["bits"] not in (None, 8) or kind not in ("int8", *FLOATS):
        name = "bits" if settings["bits"] not in (None, 8) else "dtype"
        allowed = "allowed: 8" if name == "bits" else f"allowed: int8, {', '.join(FLOATS)}"
        wrong(draft, settings, name, f"{flow(settings[name])} is not known for activations", allowed)
        return
    draft.put((*path, "algorithm"), "quantization", "", settings.home)
    if kind in FLOATS:
        draft.put((*path, "mode"), FLOATS[kind], settings.was("dtype"), settings.origin("dtype"))
    dataset(draft, path, settings, samples)
    _preset(draft, path, settings, kind)
    defaults = {"model_type": "transformer", "overflow_fix": "disable"}
    for name, own in defaults.items():
        value = own if settings[name] is None else settings[name]
        remark = "Optimum Intel's default" if settings[name] is None else settings.was(name)
        if name == "model_type" and settings.values.get(name, own) is None:
            value, remark = "none", settings.was(name)  # stated: not looked at as a transformer
        draft.put((*path, name), value, remark, settings.origin(name))
    if settings["fast_bias_correction"] is False:
        at = settings.origin("fast_bias_correction")
        draft.put((*path, "fast_bias_correction"), False, settings.was("fast_bias_correction"), at)
    _smooth_quant(draft, path, settings)
    scope(draft, path, settings)
    others(draft, str(path[0]), settings)


def _preset(draft: Draft, path: KeyPath, settings: Settings, kind: str) -> None:
    if kind in FLOATS:
        if settings["sym"] is not None:
            draft.drop(str(path[0]), settings.name("sym"), "8-bit floats are symmetric in any case")
        return
    preset = "performance" if settings["sym"] else "mixed"
    remark = "Optimum Intel's default" if settings["sym"] is None else settings.was("sym")
    draft.put((*path, "preset"), preset, remark, settings.origin("sym"))


def _smooth_quant(draft: Draft, path: KeyPath, settings: Settings) -> None:
    alpha = settings["smooth_quant_alpha"]
    if alpha == 0:
        draft.drop(str(path[0]), settings.name("smooth_quant_alpha"), "Optimum Intel takes 0 for not stated")
    elif alpha is not None:
        at = (*path, "advanced", "smooth_quant_alphas", "matmul")
        draft.put(at, alpha, settings.was("smooth_quant_alpha"), settings.origin("smooth_quant_alpha"))
