"""Valid plain data -> the frozen dataclasses of a recipe."""

from __future__ import annotations

import copy
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import asdict, fields
from pathlib import Path

from runner.base.paths import expanded
from runner.base.values import listing, made, mapping, plain, section, text, whole
from runner.recipe.accuracy import CONVERTED, RUNTIME, accuracy_of, integral, with_own
from runner.recipe.build_dataset import as_list as as_list
from runner.recipe.build_dataset import dataset as dataset
from runner.recipe.companions import COMPANIONS, companion
from runner.recipe.conversion import Conversion, conversion_of
from runner.recipe.judge import legacy
from runner.recipe.origins import KeyPath, Origins, dotted, nearest
from runner.recipe.types import (
    AccuracyControl,
    IgnoredScope,
    InputInfo,
    ModelSource,
    Quantization,
    Recipe,
    WeightCompression,
)
from runner.registry.exporters import Code, Example

NONE = "none"
"""What `parts` says of a part that stays as it is."""
_STATED = ("check", "shapes", "preprocess")
"""Keys of `conversion` that stay away where they are not stated."""
_CONVERSION = {key: value for key, value in asdict(Conversion()).items() if key not in _STATED}


def build(config: Mapping[str, object], origins: Origins, path: Path) -> Recipe:
    """A recipe from data that passed validation and rules."""
    resolved = complete(config, origins, path)
    datasets = {name: dataset(name, mapping(data)) for name, data in section(resolved, "datasets").items()}
    steps = [_step(mapping(step), at, datasets) for at, step in steps_of(resolved)]
    parts = section(resolved, "parts")
    return Recipe(
        name=text(resolved["name"]),
        path=path,
        model=model_source(mapping(resolved["model"])),
        description=text(resolved["description"]),
        datasets=datasets,
        input_info=tuple(_input(mapping(one)) for one in as_list(resolved.get("input_info"))),
        conversion=conversion_of(mapping(resolved["conversion"])),
        compression=tuple(step for step, _ in steps),
        parts={name: None if step == NONE else _algorithm(mapping(step)) for name, step in parts.items()},
        accuracy=accuracy_of(resolved.get("accuracy")),
        target_device=text(resolved["target_device"]),
        seed=whole(resolved["seed"]),
        publish="copy" if resolved["publish"] == "copy" else "link",
        resolved=resolved,
        origins={dotted(at): origin.where for at, origin in origins.items() if at},
        notes=tuple(note for _, notes in steps for note in notes),
    )


def complete(config: Mapping[str, object], origins: Origins, path: Path) -> dict[str, object]:
    """The recipe as plain data that stands by itself: defaults filled in, paths absolute."""
    config = with_metrics(config, lambda metric, at: _located(metric, at, origins))
    model = _located(mapping(config["model"]), ("model",), origins)
    for key in COMPANIONS:
        if key in model:
            model[key] = _located(mapping(model[key]), ("model", key), origins)
    if "weights" in model:
        model["weights"] = str(absolute(text(model["weights"]), ("model", "weights"), origins))
    stated = section(config, "datasets")
    datasets = {name: _located(mapping(data), ("datasets", name), origins) for name, data in stated.items()}
    whole_recipe = {
        "name": config.get("name", path.stem),
        "description": config.get("description", ""),
        "model": model,
        "datasets": datasets,
        "input_info": config.get("input_info"),
        "conversion": {**_CONVERSION, **section(config, "conversion")},
        "compression": config.get("compression"),
        "parts": {name: step if step == NONE else filled(step) for name, step in section(config, "parts").items()}
        or None,
        "accuracy": _filled_accuracy(config.get("accuracy"), origins),
        "target_device": config.get("target_device", "ANY"),
        "seed": config.get("seed", 0),
        "publish": config.get("publish", "link"),
    }
    return {key: value for key, value in whole_recipe.items() if value is not None}


def _located(data: Mapping[str, object], at: KeyPath, origins: Origins, key: str = "path") -> dict[str, object]:
    """A section whose path, if it has one, is absolute."""
    path = {key: str(absolute(text(data[key]), (*at, key), origins))} if key in data else {}
    return {**data, **path}


def absolute(path: str, at: KeyPath, origins: Origins) -> Path:
    """A path of a recipe, relative to the file that states it (to the working directory on the command line)."""
    home = expanded(path)
    start = nearest(origins, at).folder
    return home if str(home).startswith("~") else Path(os.path.normpath(start / home))


def steps_of(config: Mapping[str, object]) -> list[tuple[KeyPath, object]]:
    """The steps of `compression` with their key paths."""
    steps = config.get("compression")
    if isinstance(steps, list):
        return [(("compression", index), step) for index, step in enumerate(steps)]
    return [] if steps is None else [(("compression",), steps)]


def own_metrics(config: Mapping[str, object]) -> list[tuple[KeyPath, dict[str, object]]]:
    """The metrics of checks and of accuracy control that are no names, with their key paths."""
    accuracy = config.get("accuracy")
    checks = accuracy.get("checks") if isinstance(accuracy, dict) else None
    holders: list[tuple[KeyPath, object]] = [
        (("accuracy", "checks", index), one) for index, one in enumerate(as_list(checks))
    ]
    for at, step in steps_of(config):
        holders += [((*at, "accuracy_control"), step.get("accuracy_control"))] if isinstance(step, dict) else []
    found = [((*at, "metric"), one.get("metric")) for at, one in holders if isinstance(one, dict)]
    return [(at, metric) for at, metric in found if isinstance(metric, dict)]


def with_metrics(
    config: Mapping[str, object], change: Callable[[dict[str, object], KeyPath], Mapping[str, object]]
) -> dict[str, object]:
    """A copy of plain data in which what is said of these metrics is changed."""
    found = copy.deepcopy({name: config[name] for name in ("accuracy", "compression") if name in config})
    for at, metric in own_metrics(found):
        metric.update(change(metric, at))
    return {**config, **found}


def parts_of(config: Mapping[str, object]) -> list[tuple[KeyPath, Mapping[str, object]]]:
    """The settings of parts that have some, with their key paths."""
    parts = config.get("parts")
    named = parts.items() if isinstance(parts, dict) else ()
    return [(("parts", name), filled(step)) for name, step in named if isinstance(step, dict)]


def filled(step: object) -> dict[str, object]:
    """The settings of a part with its algorithm, which need not be stated for weights."""
    return {"algorithm": "weight_compression", **mapping(step)}


def model_source(data: Mapping[str, object]) -> ModelSource:
    """The section `model`, whose paths are absolute."""
    revision = {"revision": "main"} if data["source"] == "huggingface" else {}
    paths = {key: Path(text(data[key])) for key in ("path", "weights") if key in data}
    beside = {key: companion(kind, mapping(data[key])) for key, kind in COMPANIONS.items() if key in data}
    code = {"code": _code(data)} if "object" in data else {}
    rest = {key: value for key, value in data.items() if key not in _CODE}
    return made(ModelSource, {**revision, **rest, **paths, **beside, **code})


_CODE = ("object", "arguments", "example")


def _code(data: Mapping[str, object]) -> Code:
    arguments = json.dumps(plain(section(data, "arguments")), sort_keys=True)
    example = tuple(_example(name, mapping(one)) for name, one in section(data, "example").items())
    return Code(text(data["object"]), arguments, example)


def _example(name: str, data: Mapping[str, object]) -> Example:
    """An input of forward(); a size of -1 or `?` is open."""
    shape = tuple(None if size in (-1, "?") else whole(size) for size in listing(data["shape"]))
    return Example(name, shape, text(data.get("type", "f32")))


def _input(data: Mapping[str, object]) -> InputInfo:
    sizes = tuple(whole(size) for size in listing(data["sample_size"]))
    return made(InputInfo, {**data, "sample_size": sizes})


def _step(
    data: Mapping[str, object], at: KeyPath, datasets: Mapping[str, object]
) -> tuple[WeightCompression | Quantization, list[str]]:
    """A step of `compression`, and remarks about it."""
    notes = []
    if legacy.is_legacy(data):
        converted = legacy.convert(data, datasets)
        data = converted.step
        notes = [f"{dotted((*at, *key))}: {text}" for key, text in converted.notes]
    return _algorithm(data), notes


def _algorithm(data: Mapping[str, object]) -> WeightCompression | Quantization:
    return _quantization(data) if data["algorithm"] == "quantization" else _weights(data)


def _weights(data: Mapping[str, object]) -> WeightCompression:
    return made(WeightCompression, _settings(data))


def _quantization(data: Mapping[str, object]) -> Quantization:
    values = _settings(data)
    if "accuracy_control" in values:
        stated = mapping(values["accuracy_control"])
        control = {**_advanced(stated), "metric": stated["metric"]}
        known = {one.name for one in fields(AccuracyControl)} - {"params", "own"}
        params = {key: integral(value) for key, value in control.items() if key not in known}
        own = with_own({key: value for key, value in control.items() if key in known})
        values["accuracy_control"] = made(AccuracyControl, {"dataset": values["dataset"], **own, "params": params})
    return made(Quantization, values)


def _settings(data: Mapping[str, object]) -> dict[str, object]:
    """What the two algorithms have in common."""
    values = {key: value for key, value in data.items() if value is not None}
    for key in ("group_size", "subset_size"):
        if key in values:
            values[key] = whole(values[key])
    if "ignored_scope" in values:
        values["ignored_scope"] = _scope(mapping(values["ignored_scope"]))
    if "advanced" in values:
        values["advanced"] = _advanced(mapping(values["advanced"]))
    return values


_COUNTS = frozenset(
    {
        *("subset_size", "steps", "initial_steps", "scale_steps", "block_size", "adapter_rank", "num_iterations"),
        *("num_elements", "min_adjusted_group_size", "num_bits"),
        *("context_length", "max_num_iterations", "ranking_subset_size"),
    }
)


def _advanced(data: Mapping[str, object]) -> dict[str, object]:
    """Nested settings, whole numbers as integers."""
    values: dict[str, object] = {}
    for key, value in data.items():
        values[key] = _advanced(value) if isinstance(value, dict) else whole(value) if key in _COUNTS else value
    return values


def _scope(data: Mapping[str, object]) -> IgnoredScope:
    values = {key: tuple(value) if isinstance(value, list) else value for key, value in data.items()}
    return made(IgnoredScope, values)


def _filled_accuracy(given: object, origins: Origins) -> dict[str, object] | None:
    """The section with its defaults; of the runtime's properties, those that it doesn't state stay pinned."""
    if given is None:
        return None
    data = mapping(given)
    reference = data.get("reference", CONVERTED)
    if isinstance(reference, dict):
        data = {**data, "reference": _located(reference, ("accuracy", "reference"), origins)}
    checks = [
        _located(mapping(one), ("accuracy", "checks", index), origins, "encoder")
        for index, one in enumerate(listing(data["checks"]))
    ]
    return {"reference": CONVERTED, **data, "checks": checks, "runtime": {**RUNTIME, **section(data, "runtime")}}
