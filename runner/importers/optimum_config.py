"""openvino_config.json, which Optimum Intel writes beside a model that it exported -> a recipe."""

from __future__ import annotations

from collections.abc import Mapping

from runner.importers import optimum_steps
from runner.importers.draft import PLACEHOLDER, Draft, Source
from runner.importers.optimum import Settings
from runner.importers.writer import flow
from runner.recipe.origins import dotted

KIND = "Optimum Intel's openvino_config.json"
_KEYS = ("dtype", "input_info", "optimum_version", "quantization_config", "save_onnx_model", "transformers_version")
_PRETRAINED = frozenset({"output_attentions", "output_hidden_states", "return_dict", "use_return_dict", "torch_dtype"})
"""What Transformers' own configuration classes add to every file that they write."""


def recognizes(data: Mapping[str, object]) -> bool:
    """Whether values are those of an OVConfig."""
    return "quantization_config" in data or ("optimum_version" in data and "dtype" in data)


def convert(source: Source) -> Draft:
    """The recipe of a configuration; what is wrong in it is among the draft's problems."""
    draft = Draft(source, KIND)
    draft.put(("model",), PLACEHOLDER, "the file names none: the model that was exported, here or as model=…")
    data = source.data
    given = data.get("quantization_config")
    if given is not None and not isinstance(given, dict):
        draft.wrong(("quantization_config",), f"{flow(given)} is not a mapping", "a mapping, or null")
        return draft
    _conversion(draft, data, quantized=bool(given))
    _inputs(draft, data.get("input_info"))
    if given:
        optimum_steps.steps(draft, _settings(source, given))
    _rest(draft, data)
    return draft


def _settings(source: Source, given: Mapping[str, object]) -> Settings:
    key = "quantization_config"
    names = {name: f"{key}.{name}" for name in given}
    origins = {dotted(path[1:]): origin for path, origin in source.origins.items() if path[:1] == (key,) and path[1:]}
    return Settings(given, names, origins, source.at((key,)))


def _conversion(draft: Draft, data: Mapping[str, object], *, quantized: bool) -> None:
    kind, at = data.get("dtype"), draft.source.at(("dtype",))
    path = ("conversion", "precision")
    if kind in ("fp16", "fp32"):
        draft.put(path, kind, f"was dtype {kind}", at)
    elif quantized or kind is None:
        draft.put(path, "fp32", "Optimum Intel starts from the type that the model is stored in: fp16 for 16 bits", at)
        if quantized and kind is not None:
            draft.drop("compression", f"dtype {flow(kind)}", "said again in quantization_config")
    else:
        draft.wrong(("dtype",), f"{flow(kind)} without a quantization_config", "allowed: fp16, fp32")


def _inputs(draft: Draft, given: object) -> None:
    for index, one in enumerate(given if isinstance(given, list) else []):
        for key, value in one.items() if isinstance(one, dict) else ():
            at = ("input_info", index, key)
            draft.put(at, value, f"was {dotted(at)}", draft.source.at(at))


def _rest(draft: Draft, data: Mapping[str, object]) -> None:
    for key in ("optimum_version", "transformers_version"):
        if data.get(key) is not None:
            draft.drop("", f"{key} {flow(data[key])}", "what wrote the file")
    if data.get("save_onnx_model"):
        draft.refuse(
            "", "save_onnx_model true", "recipes make OpenVINO models only", draft.source.at(("save_onnx_model",))
        )
    others = [key for key in data if key in _PRETRAINED]
    if others:
        draft.drop("", ", ".join(others), "Transformers writes it into every configuration")
    for key in data:
        if key not in _KEYS and key not in _PRETRAINED:
            draft.unknown((key,), _KEYS)
