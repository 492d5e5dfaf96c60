"""A quantization configuration of Optimum Intel, of whatever kind, as `compression` of a recipe."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from runner.importers import optimum_hybrid, runtime_info
from runner.importers.draft import Draft
from runner.importers.optimum import (
    COMMON,
    FLOATS,
    FULL,
    WEIGHTS,
    Settings,
    are_known,
    inner,
    today,
    uses_data,
    weights,
    wrong,
)
from runner.importers.optimum_full import full_step
from runner.importers.writer import flow
from runner.model.parts import IR as MODEL
from runner.recipe.origins import KeyPath


def steps(draft: Draft, settings: Settings) -> None:
    """Whatever kind of configuration it is, as `compression`."""
    values = settings.values
    if optimum_hybrid.is_asked(settings):
        optimum_hybrid.whole(draft, settings)
    elif "weight_quantization_config" in values and "full_quantization_config" in values:
        mixed(
            draft, settings, inner(settings, "weight_quantization_config"), inner(settings, "full_quantization_config")
        )
    elif "quantization_config1" in values and "quantization_config2" in values:
        for index, name in enumerate(("quantization_config1", "quantization_config2")):
            one(draft, ("compression", index), inner(settings, name))
    elif "quantization_configs" in values:
        _pipeline(draft, settings)
    else:
        one(draft, ("compression",), settings)


def _pipeline(draft: Draft, settings: Settings) -> None:
    """Configurations by the names of a pipeline's models, which are the parts of a recipe's model."""
    models = settings["quantization_configs"]
    if isinstance(models, dict) and set(models) == {"model"} and not settings["default_config"]:
        one(draft, ("compression",), inner(inner(settings, "quantization_configs"), "model"))
    elif models == {}:
        _one_for_all(draft, settings)
    elif isinstance(models, dict):
        _default_of_parts(draft, inner(settings, "default_config"), settings)
        for name, config in models.items():
            _part(draft, name, config, inner(settings, "quantization_configs"))
    else:
        wrong(draft, settings, "quantization_configs", f"{flow(models)} is not a mapping", "names of models")


def _default_of_parts(draft: Draft, default: Settings, settings: Settings) -> None:
    """What all parts without settings of their own get; without it they stay as they are."""
    if _states(default):
        one(draft, ("compression",), _with(default, _shared(settings), settings))
    elif default.values:
        what = "Optimum Intel writes no more of it than that; state `compression` for the parts that have none here"
        draft.refuse("parts", f"{settings.names.get('default_config', 'default_config')}", what, default.home)


def _part(draft: Draft, name: str, config: object, configs: Settings) -> None:
    """One of several models, by Optimum's name of it."""
    own = inner(configs, name)
    if not isinstance(config, dict):
        wrong(draft, configs, name, f"{flow(config)} is not a mapping", "settings of a model")
    elif "full_quantization_config" in config and not optimum_hybrid.is_asked(own):
        wrong(draft, configs, name, "weights first, and then activations", "a part of a recipe has one step")
    else:
        part = "language_model" if name == "lm_model" else name.removesuffix("_model")
        one(draft, ("parts", part), own)


def _states(settings: Settings) -> bool:
    """Whether more is left of a default configuration than Optimum Intel's own file keeps."""
    return bool({name for name, value in settings.values.items() if value is not None} - {"quant_method"})


def _one_for_all(draft: Draft, settings: Settings) -> None:
    """One configuration for whatever models there are, of which Optimum Intel's own file keeps next to nothing."""
    default = inner(settings, "default_config")
    if _states(default):
        one(draft, ("compression",), _with(default, _shared(settings), settings))
        return
    said = runtime_info.weights(draft.source.path.parent / MODEL)
    if said is None:
        what = "empty, and default_config has lost its settings: Optimum Intel writes no more of them"
        allowed = f"keep the {MODEL} beside it that it was written with, or import the command line of optimum-cli"
        wrong(draft, settings, "quantization_configs", what, allowed)
        return
    names = {name: f"{MODEL}'s {name}" for name in said}
    draft.remark("compression", f"{draft.source.name} has lost the settings; these are in {MODEL} beside it")
    read = replace(settings, values=said, names=names, origins={}, said=MODEL)
    one(draft, ("compression",), _with(read, _shared(settings), settings), full=False)


def _shared(whole: Settings) -> dict[str, object]:
    """What a configuration of several models or steps states for all of them."""
    return {key: whole[key] for key in ("dataset", "num_samples", "_dataset_kwargs") if whole[key]}


def is_full(settings: Settings) -> bool:
    """Whether a configuration is of weights and activations, told as Optimum Intel tells it."""
    given = set(settings.values)
    if given & (set(WEIGHTS) - set(FULL)):
        return False
    only_full = (set(FULL) - set(WEIGHTS)) | {"activation_format"}
    return bool(given & only_full) or settings["weight_only"] is False or settings["dtype"] in tuple(FLOATS)


def one(draft: Draft, path: KeyPath, settings: Settings, full: bool | None = None) -> None:
    """A configuration of weights alone, or of weights and activations; `full` says which where that is known."""
    if optimum_hybrid.is_asked(settings):
        optimum_hybrid.step(draft, path, settings)
        return
    full = is_full(settings) if full is None else full
    known = (*(FULL if full else WEIGHTS), *COMMON, "activation_format" if full else "weight_format")
    if are_known(draft, settings, known):
        (full_step if full else weights)(draft, path, today(settings))


def mixed(draft: Draft, whole: Settings, first: Settings, second: Settings) -> None:
    """OVMixedQuantizationConfig: weights first, then activations and all that the first step left."""
    shared = _shared(whole)
    both = [_with(part, shared, whole) for part in (first, second)]
    if second["dtype"] in tuple(FLOATS) and first["backup_precision"] is None:
        values = {**both[0].values, "backup_precision": "none"}
        why = "none, the default beside 8-bit floats, which follow in the second step"
        texts = {**both[0].texts, "backup_precision": why}
        both[0] = replace(both[0], values=values, texts=texts)
    left_out = whole["ignored_scope"]
    if isinstance(left_out, dict) and any(left_out.values()):
        both = [_ignoring(part, left_out, whole) for part in both]
    if not uses_data(both[0]):
        idle = ("dataset", "num_samples", "_dataset_kwargs")
        both[0] = replace(both[0], values={key: value for key, value in both[0].values.items() if key not in idle})
    before = len(draft.problems)
    one(draft, ("compression", 0), both[0], full=False)
    if len(draft.problems) == before:
        one(draft, ("compression", 1), both[1], full=True)


def _with(part: Settings, shared: Mapping[str, object], whole: Settings) -> Settings:
    """A part with what the whole states for both."""
    own = {key: value for key, value in part.values.items() if value is not None}
    added = {key: value for key, value in shared.items() if not own.get(key)}
    names = {**part.names, **{key: whole.names.get(key, key) for key in added}}
    origins = {**part.origins, **{key: whole.origin(key) for key in added}}
    return replace(part, values={**part.values, **added}, names=names, origins=origins)


def _ignoring(part: Settings, shared: Mapping[str, object], whole: Settings) -> Settings:
    own = part["ignored_scope"] if isinstance(part["ignored_scope"], dict) else {}
    merged: dict[str, object] = {
        key: _joined(own.get(key), shared.get(key)) for key in dict.fromkeys([*own, *shared]) if key != "validate"
    }
    if False in (own.get("validate"), shared.get("validate")):
        merged["validate"] = False
    names = {"ignored_scope": whole.names.get("ignored_scope", "ignored_scope"), **part.names}
    origins = {"ignored_scope": whole.origin("ignored_scope"), **part.origins}
    return replace(part, values={**part.values, "ignored_scope": merged}, names=names, origins=origins)


def _joined(first: object, second: object) -> object:
    """Two lists as one without repetitions; what is no list stays, for the schema to refuse."""
    for value in (first, second):
        if value is not None and not isinstance(value, list):
            return value
    joined: list[object] = []
    for item in (item for value in (first, second) if isinstance(value, list) for item in value):
        if item not in joined:
            joined.append(item)
    return joined
