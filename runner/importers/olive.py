"""An Olive workflow (JSON or YAML) with OpenVINO passes -> a recipe. Parameters are those of olive-ai 0.13."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from runner.base.words import near
from runner.importers import olive_passes
from runner.importers.draft import PLACEHOLDER, Draft, Source, slug
from runner.importers.olive_parameters import PASSES, Part
from runner.importers.writer import flow
from runner.recipe.origins import KeyPath, dotted

KIND = "an Olive workflow"

_ENGINE = (
    *("search_strategy", "host", "target", "evaluator", "plot_pareto_frontier", "no_artifacts", "evaluate_input_model"),
    *("output_dir", "packaging_config", "cache_config", "cache_dir", "clean_cache", "clean_evaluation_cache"),
    *("enable_shared_cache", "log_severity_level", "ort_log_severity_level", "ort_py_log_severity_level"),
    *("log_to_file", "output_name"),
)
_TOP = ("workflow_id", "input_model", "systems", "data_configs", "evaluators", "engine", "passes", *_ENGINE)
_OF_A_PASS = ("type", "config", "host", "evaluator", "disable_search", "output_name", "clean_run_cache")
_MODEL_KEYS = (
    *("type", "config", "model_path", "task", "load_kwargs", "io_config", "adapter_path", "test_model_path"),
    *("test_model_config", "model_attributes", "model_name", "hf_config", "model_file_format", "model_loader"),
    *("model_script", "script_dir", "dummy_inputs_func", "onnx_file_name", "inference_settings", "use_ort_extensions"),
    *("external_initializers_file_name", "constant_inputs_file_name", "mlflow_transformer_model_cache_dir"),
)
_SOURCES = {"onnxmodel": "onnx", "openvinomodel": "openvino", "tensorflowmodel": "tensorflow"}


def recognizes(data: Mapping[str, object]) -> bool:
    """Whether values are those of a workflow."""
    return "passes" in data or "input_model" in data


def convert(source: Source) -> Draft:
    """The recipe of a workflow; what is wrong in it is among the draft's problems."""
    draft = Draft(source, KIND)
    data = source.data
    engine = data.get("engine") if isinstance(data.get("engine"), dict) else {}
    assert isinstance(engine, dict)
    for path in [*((key,) for key in data), *(("engine", key) for key in engine)]:
        known = _TOP if len(path) == 1 else _ENGINE
        if path[-1] not in known:
            draft.unknown(path, known)
    passes = list(_passes(draft, data.get("passes")))
    if data.get("workflow_id"):
        draft.put(("name",), slug(str(data["workflow_id"])), "was workflow_id", source.at(("workflow_id",)))
    model = _model(draft, data.get("input_model"))
    if model:
        olive_passes.convert(draft, model, passes, _device(data, engine))
        _rest(draft, {**engine, **data})
    return draft


def _passes(draft: Draft, given: object) -> list[Part]:
    if not isinstance(given, dict) or not given:
        draft.wrong(("passes",), "no passes" if not given else f"{flow(given)} is not a mapping", "a mapping of passes")
        return []
    found = []
    for name, listed in given.items():
        at: KeyPath = ("passes", name)
        if isinstance(listed, list) and len(listed) > 1:
            draft.wrong(at, "alternatives of a search", "give one; `ovrun sweep` tries several settings")
            continue
        entry = listed[0] if isinstance(listed, list) and listed else listed
        if isinstance(listed, list):
            at = (*at, 0)
        if one := _pass(draft, at, entry):
            found.append(one)
    return found


def _pass(draft: Draft, at: KeyPath, entry: object) -> Part | None:
    given = entry if isinstance(entry, dict) else {}
    kind = given.get("type")
    names = {name.lower(): name for name in PASSES}
    if not isinstance(kind, str) or kind.lower() not in names:
        what = "has no type" if kind is None else f"{flow(kind)} is no pass of OpenVINO"
        draft.wrong((*at, "type"), what, f"allowed: {', '.join(PASSES)}", near(str(kind), PASSES))
        return None
    kind = names[kind.lower()]
    flat = {key: value for key, value in given.items() if key not in _OF_A_PASS}
    config = given["config"] if isinstance(given.get("config"), dict) else {}
    places = {**{key: (*at, key) for key in flat}, **{key: (*at, "config", key) for key in config}}
    values = {**flat, **config}
    for key in values:
        if key not in PASSES[kind]:
            draft.unknown(places[key], PASSES[kind])
        elif values[key] == "SEARCHABLE_VALUES" or (
            isinstance(values[key], dict) and "olive_parameter_type" in values[key]
        ):
            draft.wrong(places[key], "a value to search for", "state one; `ovrun sweep` tries several")
    for key in ("host", "evaluator", "disable_search", "output_name", "clean_run_cache"):
        if key in given:
            draft.drop("", f"{dotted(at)}.{key}", "a recipe runs as a whole, and checks its model at the end")
    return Part(kind, at, {key: value for key, value in values.items() if value is not None}, places)


def _model(draft: Draft, given: object) -> Part | None:
    """The input model's settings, and `model` of the recipe where it is no Hugging Face model."""
    at: KeyPath = ("input_model",)
    if not isinstance(given, dict) or not isinstance(given.get("type"), str):
        draft.wrong(at, "missing, or without a type", "a mapping with type and model_path")
        return None
    stated = given.get("config")
    inner: Mapping[str, object] = stated if isinstance(stated, dict) else {}
    values = {**{key: value for key, value in given.items() if key != "config"}, **inner}
    prefix = {key: (*at, "config", key) if key in inner else (*at, key) for key in values}
    for key in values:
        if key not in _MODEL_KEYS:
            draft.unknown(prefix[key], _MODEL_KEYS)
    kind = values["type"].lower()
    path = values.get("model_path") or values.get("model_name")
    if kind in _SOURCES and isinstance(path, str):
        draft.put(("model", "source"), _SOURCES[kind], f"was type {values['type']}", draft.source.at(prefix["type"]))
        absolute = path if path.startswith(("/", "~")) else str(Path(path).absolute())
        draft.put(("model", "path"), absolute, "was input_model.model_path", draft.source.at(at))
    elif kind != "hfmodel" or not isinstance(path, str):
        why = f"a {values['type']} is not for recipes" if kind != "hfmodel" else "input_model.model_path names none"
        draft.put(("model",), PLACEHOLDER, f"{why}; state the model here, or as model=… on the command line")
        if kind != "hfmodel":
            what = "models are exported by Hugging Face name or folder, or read from a file"
            draft.refuse("model", f"input_model.type {values['type']}", what, draft.source.at(prefix["type"]))
    for key in values:
        if key not in ("type", "model_path", "model_name", "task", "load_kwargs"):
            why = "recipes load a model as its own files say"
            draft.refuse("model", dotted(prefix[key]), why, draft.source.at(prefix[key]))
    return Part(kind, at, {key: value for key, value in values.items() if value is not None}, prefix)


def _device(data: Mapping[str, object], engine: Mapping[str, object]) -> str | None:
    """The device of the target system, where it is stated."""
    target = data.get("target", engine.get("target"))
    systems = data.get("systems")
    system = systems.get(target) if isinstance(systems, dict) and isinstance(target, str) else target
    inner = system.get("config", system) if isinstance(system, dict) else {}
    listed = inner.get("accelerators") if isinstance(inner, dict) else None
    first = listed[0] if isinstance(listed, list) and listed else None
    return str(first["device"]) if isinstance(first, dict) and "device" in first else None


def _rest(draft: Draft, data: Mapping[str, object]) -> None:
    """What says how to run the workflow rather than what to make."""
    if data.get("search_strategy"):
        what = "a search over settings; `ovrun sweep` has a grid of them"
        draft.refuse("", "search_strategy", what, draft.source.at(("search_strategy",)))
    for key in ("evaluators", "evaluator"):
        if said := data.get(key):
            named = ", ".join(said) if isinstance(said, dict) else flow(said)
            what = f"state what the model has to reach as checks of `accuracy` ({named})"
            draft.refuse("", key, what, draft.source.at((key,)))
    why = "its device is target_device" if "target_device" in draft.config else "nothing here depends on the device"
    for key in ("systems", "target"):
        if data.get(key):
            draft.drop("target_device", key, why)
    if configs := data.get("data_configs"):
        listed = configs if isinstance(configs, list) else []
        named = ", ".join(str(one.get("name")) for one in listed if isinstance(one, dict))
        what = f"Olive's own loaders ({named}); state the data as `datasets`"
        draft.refuse("datasets", "data_configs", what, draft.source.at(("data_configs",)))
    told = ("search_strategy", "evaluators", "evaluator", "systems", "target", "data_configs")
    others = [key for key in data if key in (*_ENGINE, "engine") and key not in told]
    if others:
        draft.drop("", ", ".join(others), "how Olive runs a workflow, not what comes out")
