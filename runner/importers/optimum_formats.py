"""What optimum-cli makes of a model by --weight-format or --quant-mode -> `compression` of a recipe.

Where a command states the format alone, Optimum Intel takes its own settings: those for the model, if it knows it by
name, or else those for the format.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from runner.base.values import section
from runner.importers import optimum, optimum_defaults, optimum_steps
from runner.importers.draft import Draft
from runner.importers.optimum import Settings, wrong
from runner.importers.optimum_full import full_step
from runner.recipe.origins import KeyPath, found

COMPRESSION = (
    *("ratio", "group_size", "sym", "all_layers", "dataset", "num_samples", "awq", "scale_estimation", "gptq"),
    *("lora_correction", "sensitivity_metric", "backup_precision"),
)
"""Options any of which keeps the command from taking its own settings for a model or a format."""

QUANTIZATION = ("sym", "dataset", "num_samples", "smooth_quant_alpha")
"""As COMPRESSION, for --quant-mode."""


def weights(draft: Draft, settings: Settings) -> None:
    """--weight-format int8, int4, mxfp4, nf4 or cb4."""
    kind = settings["weight_format"]
    own = _own(draft, settings, kind, COMPRESSION) if kind in ("int4", "int8") else None
    if own is not None:
        _known_model(draft, settings, *own)
        return
    values = {name: settings[name] for name in optimum.WEIGHTS if settings[name] is not None and name != "bits"}
    values["dtype"] = kind
    if settings["awq"]:
        values["quant_method"] = "awq"
    if settings["quantization_statistics_path"] is not None:
        values["statistics_path"] = settings["quantization_statistics_path"]
    if kind == "int8":
        for name in ("ratio", "group_size", "all_layers"):
            if values.pop(name, None) is not None:
                draft.drop("compression", settings.name(name), f"{settings.said} passes it over with 8 bits")
    if values.get("ratio") == 0:
        draft.drop("compression", settings.name("ratio"), f"{settings.said} takes 0 for not stated")
        del values["ratio"]
    if kind == "int4" and all(settings[name] is None for name in COMPRESSION) and "group_size_fallback" in values:
        why = f"{settings.said} passes it over where no other setting is stated"
        draft.drop("compression", settings.name("group_size_fallback"), why)
        del values["group_size_fallback"]
    if "dataset" in values:
        values = _split_dataset(draft, settings, values)
    optimum.weights(draft, ("compression",), _renamed(settings, values))
    _scopes(draft, settings)


def quantized(draft: Draft, settings: Settings) -> None:
    """--quant-mode: weights and activations."""
    mode = str(settings["quant_mode"])
    own = _own(draft, settings, "quant int8", QUANTIZATION) if mode == "int8" else None
    if own is not None:
        _known_model(draft, settings, *own)
        return
    if settings["dataset"] is None:
        place = settings.origin("quant_mode")
        draft.problems.append(
            found(("dataset",), place, "quantization of activations needs data", "add --dataset NAME")
        )
        return
    values = {name: settings[name] for name in settings.values if settings[name] is not None}
    values = _split_dataset(draft, settings, values)
    full = {name: values[name] for name in (*optimum.FULL, "_dataset_kwargs") if name in values}
    first, _, second = mode.rpartition("_")
    full["dtype"] = second
    if not first:
        for name in (*(set(COMPRESSION) - set(QUANTIZATION)), "group_size_fallback", "quantization_statistics_path"):
            if settings[name] is not None:
                draft.drop("compression", settings.name(name), f"{settings.said} passes it over with {mode}")
        full_step(draft, ("compression",), _renamed(settings, full))
    else:
        parts = {name: values[name] for name in (*optimum.WEIGHTS, "_dataset_kwargs") if name in values}
        parts["dtype"] = first
        if settings["awq"]:
            parts["quant_method"] = "awq"
        whole = _renamed(settings, {})
        optimum_steps.mixed(draft, whole, _renamed(settings, parts), _renamed(settings, full))
    _scopes(draft, settings)


def _renamed(settings: Settings, values: Mapping[str, object]) -> Settings:
    """Settings of Optimum Intel's classes, which call some options otherwise."""
    renamed = {"dtype": "weight_format", "statistics_path": "quantization_statistics_path", "quant_method": "awq"}
    if settings["quant_mode"] is not None:
        renamed["dtype"] = "quant_mode"
    stated = {new: old for new, old in renamed.items() if old in settings.names}
    names = {new: settings.names[old] for new, old in stated.items()}
    texts = {new: settings.name(old) for new, old in stated.items()}
    places = {new: settings.origin(old) for new, old in renamed.items()}
    sym = {"sym": settings.names.get("sym", "--sym")}
    names, places = {**sym, **settings.names, **names}, {**settings.origins, **places}
    return replace(settings, values=values, names=names, origins=places, texts=texts)


def _split_dataset(draft: Draft, settings: Settings, values: Mapping[str, object]) -> dict[str, object]:
    """`name:seq_len=128` as Optimum Intel takes it apart."""
    name, _, options = str(values["dataset"]).partition(":")
    kept = {**values, "dataset": name}
    for option in filter(None, (part.strip() for part in options.split(","))):
        key, _, value = option.partition("=")
        if key.strip() == "seq_len" and value.strip().isdecimal() and len(value.strip()) < 10:
            kept["_dataset_kwargs"] = {"seq_len": int(value)}
        else:
            wrong(draft, settings, "dataset", f'"{option}" is no option of a dataset', "allowed: seq_len=NUMBER")
    return kept


def _own(
    draft: Draft, settings: Settings, table: str, options: tuple[str, ...]
) -> tuple[str, Mapping[str, object]] | None:
    """What Optimum Intel states for the model by its name, where the options leave that to it."""
    if any(settings[name] is not None for name in options):
        return None
    return optimum_defaults.settings(str(settings["model"]), table)


def _known_model(draft: Draft, settings: Settings, name: str, own: Mapping[str, object]) -> None:
    said = f"Optimum Intel knows {name} and took its own settings for it: {settings.said} states none but the format"
    draft.remark("compression", said)
    if settings["group_size_fallback"] is not None:
        draft.drop("compression", settings.name("group_size_fallback"), f"{settings.said} passes it over then")
    at = settings.origin("weight_format" if settings["weight_format"] else "quant_mode")
    names = {key: f"Optimum Intel's {key}" for key in _keys(own)}
    optimum_steps.steps(draft, Settings(own, names, {}, at, "Optimum Intel"))
    _scopes(draft, settings)


def _keys(values: object) -> set[str]:
    if not isinstance(values, dict):
        return set()
    return set(values) | {key for item in values.values() for key in _keys(item)}


def _scopes(draft: Draft, settings: Settings) -> None:
    """Optimum Intel leaves some operations of a few models out, by the models' names."""
    known = optimum_defaults.settings(str(settings["model"]), "scopes")
    if known is None:
        return
    name, scopes = known
    if "model" not in scopes:
        what = f"operations that Optimum Intel leaves out in {name}, a pipeline: {', '.join(scopes)}"
        draft.refuse("compression", "ignored_scope", what, settings.origin("model"))
        return
    steps = draft.config.get("compression")
    numbers: list[KeyPath] = [(index,) for index in range(len(steps))] if isinstance(steps, list) else [()]
    for number in numbers if steps else ():
        remark = f"Optimum Intel's own for {name}"
        draft.put(
            ("compression", *number, "ignored_scope"), dict(section(scopes, "model")), remark, settings.origin("model")
        )
