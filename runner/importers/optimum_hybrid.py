"""Hybrid quantization of Optimum Intel -> `quantization` with `hybrid`.

A user asks for it by `quant_method: hybrid` in settings of weights; what Optimum Intel writes beside a model has become
two steps, of which the second leaves out by their names the layers that the first compressed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import runner.base.files as fs
from runner.importers.draft import Draft
from runner.importers.optimum import COMMON, FULL, WEIGHTS, Settings, are_known, inner, today, wrong
from runner.importers.optimum_full import full_step
from runner.importers.writer import flow
from runner.recipe.origins import KeyPath

_WEIGHTS, _REST = "weight_quantization_config", "full_quantization_config"
_SAMPLES = 200
_SHARED = ("dataset", "num_samples", "_dataset_kwargs")
_OF_FEWER_BITS = ("all_layers", "scale_estimation", "gptq", "lora_correction", "sensitivity_metric", "backup_precision")
_FOLLOWS = ("ignored_scope", "smooth_quant_alpha")
"""What Optimum Intel writes into the two steps, and hybrid quantization says by itself."""
_PIPELINE = "model_index.json"


def is_asked(settings: Settings) -> bool:
    """Whether settings ask for it, in either form."""
    weights = settings[_WEIGHTS]
    stated = weights if isinstance(weights, Mapping) else settings.values
    return stated.get("quant_method") == "hybrid"


def whole(draft: Draft, settings: Settings) -> None:
    """The settings of a whole model: of a pipeline of diffusers they are for what removes noise."""
    pipeline = fs.read_object(draft.source.path.parent / _PIPELINE)
    part = next((name for name in ("unet", "transformer") if name in pipeline), None)
    if part is None:
        what = (
            "the settings of a model of one part; of a pipeline they are those of `parts.unet` or `parts.transformer`"
        )
        draft.remark("compression", what)
        step(draft, ("compression",), settings)
        return
    remark = f"what Optimum Intel does with all parts but {part}, by {_PIPELINE}"
    draft.put(("compression", "algorithm"), "weight_compression", remark, settings.home)
    draft.put(("compression", "mode"), _mode(_weights(settings)), "", settings.home)
    step(draft, ("parts", part), settings)


def step(draft: Draft, path: KeyPath, settings: Settings) -> None:
    """State one step of quantization, with Optimum Intel's defaults for it."""
    weights = _weights(settings)
    if not are_known(draft, weights, (*WEIGHTS, *COMMON)) or not _are_eight_bits(draft, weights):
        return
    rest = _written(settings, weights) if _WEIGHTS in settings.values else _asked(weights)
    if not are_known(draft, rest, (*FULL, *COMMON)):
        return
    draft.put((*path, "algorithm"), "quantization", "", settings.home)
    draft.put((*path, "hybrid"), _mode(weights), weights.was("quant_method"), weights.origin("quant_method"))
    full_step(draft, path, rest, _SAMPLES)
    if _WEIGHTS in settings.values:
        _drop_known(draft, str(path[0]), (weights, today(inner(settings, _REST))))


def _weights(settings: Settings) -> Settings:
    return today(inner(settings, _WEIGHTS) if _WEIGHTS in settings.values else settings)


def _mode(weights: Settings) -> str:
    return f"int8_{'sym' if weights['sym'] else 'asym'}"


def _are_eight_bits(draft: Draft, weights: Settings) -> bool:
    before = len(draft.problems)
    for name, usual in (("bits", 8), ("dtype", "int8")):
        if weights[name] not in (None, usual):
            what = f"{flow(weights[name])} is not known for hybrid quantization"
            wrong(draft, weights, name, what, f"allowed: {usual}")
    for name in _OF_FEWER_BITS:
        if weights[name]:
            wrong(draft, weights, name, "not together with hybrid quantization, whose weights have 8 bits", "remove it")
    return len(draft.problems) == before


def _asked(weights: Settings) -> Settings:
    """What Optimum Intel makes of settings of weights for all that has no compressed weights."""
    kept = {*FULL, *COMMON} - {"sym", "bits", "dtype"}
    return replace(weights, values={name: value for name, value in weights.values.items() if name in kept})


def _written(settings: Settings, weights: Settings) -> Settings:
    """The second of two steps, without what it leaves out because the first compressed it."""
    rest = today(inner(settings, _REST))
    values = {name: value for name, value in rest.values.items() if name not in _FOLLOWS}
    names, origins = dict(rest.names), dict(rest.origins)
    for name, known in (*((name, (settings, weights)) for name in _SHARED), ("ignored_scope", (settings,))):
        told = next((one for one in known if one[name]), None)
        if told and not values.get(name):
            values[name], names[name], origins[name] = told[name], told.names.get(name, name), told.origin(name)
    return replace(rest, values=values, names=names, origins=origins)


def _drop_known(draft: Draft, section: str, steps: tuple[Settings, Settings]) -> None:
    for one in steps:
        said = [one.names.get(name, name) for name in _FOLLOWS if one[name]]
        if said:
            draft.drop(section, ", ".join(said), "hybrid quantization tells the layers of its two steps by itself")
