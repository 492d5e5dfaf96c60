"""How Olive's passes export a Hugging Face model -> model and conversion of a recipe."""

from __future__ import annotations

from collections.abc import Mapping

from runner.importers import optimum_export
from runner.importers.draft import Draft
from runner.importers.olive_parameters import Part
from runner.importers.optimum import Settings
from runner.importers.optimum_cli import OPTIONS
from runner.importers.writer import flow
from runner.recipe.origins import KeyPath, Origin, dotted

EXPORTING = ("OpenVINOOptimumConversion", "OpenVINOConversion", "OpenVINOWeightCompression")
"""Passes that take a Hugging Face model."""

_ARGUMENTS = (
    *("task", "library", "framework", "cache_dir", "trust_remote_code", "pad_token_id", "variant", "model_kwargs"),
    *("disable_stateful", "disable_convert_tokenizer", "device", "revision", "subfolder", "token", "local_files_only"),
    *("force_download", "use_auth_token", "fn_get_submodels", "stateful", "convert_tokenizer"),
)
_WEIGHTS_ONLY = ("tokenizer", "use_onnx", "target_opset", "advanced_compression_parameters", "model_type", "preset")
_UNUSED = {
    "subfolder": "the model's files lie at the top of its folder",
    "use_onnx": "recipes make OpenVINO models only",
    "target_opset": "recipes make OpenVINO models only",
    "fn_get_submodels": "a recipe is data and calls no code",
}
_IDLE = ("token", "use_auth_token", "local_files_only", "force_download", "tokenizer")


def export(draft: Draft, model: Part, exporting: Part | None) -> None:
    """State model and conversion; of OpenVINOOptimumConversion the compression too.

    A pass of another kind exports in the type that the model is stored in.
    """
    extra = (exporting["extra_args"] if exporting else None) or {}
    quant = exporting["ov_quant_config"] if exporting else None
    values: dict[str, object] = {"model": model["model_path"] or model["model_name"], "task": model["task"]}
    names = {"model": "input_model.model_path", "task": "input_model.task"}
    places: dict[str, Origin] = {
        "model": draft.source.at(model.place("model_path")),
        "task": draft.source.at(model.place("task")),
    }
    settings = Settings(values, names, places, draft.source.at(("input_model",)), "Olive")
    if isinstance(model["load_kwargs"], dict):
        _load_kwargs(draft, settings, model["load_kwargs"])
    if exporting and exporting.kind != "OpenVINOConversion":
        _arguments(draft, settings, exporting, "extra_args", extra)
        _arguments(draft, settings, exporting, "ov_quant_config", quant or {})
    if draft.problems:
        return
    if exporting and exporting.kind == "OpenVINOOptimumConversion":
        optimum_export.fill(draft, settings)
        if exporting["components"]:
            place = exporting.place("components")
            draft.refuse("", dotted(place), "a recipe makes the whole model", draft.source.at(place))
        return
    optimum_export.model(draft, settings)
    if exporting is None or exporting.kind == "OpenVINOWeightCompression":
        optimum_export.conversion(draft, settings)


def _load_kwargs(draft: Draft, settings: Settings, given: Mapping[str, object]) -> None:
    at = ("input_model", "load_kwargs")
    for key, value in given.items():
        if key == "trust_remote_code":
            _keep(settings, key, value, f"{dotted(at)}.{key}", draft.source.at((*at, key)))
        else:
            what = "weights are loaded in the type of conversion.precision, as the model's own files say"
            draft.refuse("model", f"{dotted((*at, key))} {flow(value)}", what, draft.source.at((*at, key)))


def _keep(settings: Settings, key: str, value: object, name: str, origin: Origin) -> None:
    assert isinstance(settings.values, dict) and isinstance(settings.names, dict) and isinstance(settings.origins, dict)
    if value is not None:
        settings.values[key], settings.names[key], settings.origins[key] = value, name, origin


def _arguments(draft: Draft, settings: Settings, one: Part, section: str, given: object) -> None:
    base: KeyPath = one.place(section)
    if not isinstance(given, dict):
        draft.wrong(base, f"{flow(given)} is not a mapping", "a mapping of arguments")
        return
    compressing = [option.field for option in OPTIONS.values()]
    known = (*_ARGUMENTS, *(_WEIGHTS_ONLY if one.kind == "OpenVINOWeightCompression" else ()))
    known = known if section == "extra_args" else (*compressing, "statistics_path", "trust_remote_code", "cache_dir")
    for key, value in given.items():
        place = draft.source.at((*base, key))
        name = dotted((*base, key))
        if key not in known:
            draft.unknown((*base, key), known)
        elif key in _UNUSED:
            draft.refuse("", f"{name} {flow(value)}", _UNUSED[key], place)
        elif key in _IDLE:
            draft.drop("", name, "how files are fetched or read, not what comes out")
        elif key in ("stateful", "convert_tokenizer"):
            draft.drop("", name, "Olive passes it over, and reads disable_stateful and disable_convert_tokenizer")
        elif key == "revision":
            draft.refuse("", f"{name} {flow(value)}", "state it as model.revision", place)
        elif key not in _WEIGHTS_ONLY:
            _keep(settings, "quantization_statistics_path" if key == "statistics_path" else key, value, name, place)
