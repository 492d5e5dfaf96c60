"""Valid plain data -> the frozen dataclasses of a recipe."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict, fields
from fractions import Fraction
from pathlib import Path
from typing import Any

from runner import embedded
from runner.base.paths import expanded
from runner.recipe.judge import legacy
from runner.recipe.origins import KeyPath, Origins, dotted, nearest
from runner.recipe.types import (
    RUNTIME,
    Accuracy,
    AccuracyControl,
    Check,
    Conversion,
    Dataset,
    IgnoredScope,
    InputInfo,
    ModelSource,
    Preprocess,
    Quantization,
    Recipe,
    WeightCompression,
)
from runner.registry.gates import GateKind

_GATES = frozenset({"metric", "dataset", *GateKind})


def build(config: Mapping[str, Any], origins: Origins, path: Path) -> Recipe:
    """A recipe from data that passed validation and rules."""
    resolved = complete(config, origins, path)
    datasets = {name: dataset(name, data) for name, data in resolved["datasets"].items()}
    steps = [_step(step, at, datasets) for at, step in steps_of(resolved)]
    return Recipe(
        name=resolved["name"],
        path=path,
        model=_model(resolved["model"]),
        description=resolved["description"],
        datasets=datasets,
        input_info=tuple(_input(one) for one in as_list(resolved.get("input_info"))),
        conversion=Conversion(**resolved["conversion"]),
        compression=tuple(step for step, _ in steps),
        accuracy=_accuracy(resolved.get("accuracy")),
        target_device=resolved["target_device"],
        seed=int(resolved["seed"]),
        publish=resolved["publish"],
        resolved=resolved,
        origins={dotted(at): origin.where for at, origin in origins.items() if at},
        notes=tuple(note for _, notes in steps for note in notes),
    )


def complete(config: Mapping[str, Any], origins: Origins, path: Path) -> dict[str, Any]:
    """The recipe as plain data that stands by itself: defaults filled in, paths absolute."""
    model = dict(config["model"])
    if "path" in model:
        model["path"] = str(absolute(model["path"], ("model", "path"), origins))
    datasets = {name: dict(data) for name, data in (config.get("datasets") or {}).items()}
    for name, data in datasets.items():
        if "path" in data:
            data["path"] = str(absolute(data["path"], ("datasets", name, "path"), origins))
    filled = {
        "name": config.get("name", path.stem),
        "description": config.get("description", ""),
        "model": model,
        "datasets": datasets,
        "input_info": config.get("input_info"),
        "conversion": asdict(Conversion()) | config.get("conversion", {}),
        "compression": config.get("compression"),
        "accuracy": _filled_accuracy(config.get("accuracy")),
        "target_device": config.get("target_device", "ANY"),
        "seed": config.get("seed", 0),
        "publish": config.get("publish", "link"),
    }
    return {key: value for key, value in filled.items() if value is not None}


def absolute(path: str, at: KeyPath, origins: Origins) -> Path:
    """A path of a recipe, relative to the file that states it (to the working directory on the command line)."""
    home = expanded(path)
    start = nearest(origins, at).folder
    return home if str(home).startswith("~") else Path(os.path.normpath(start / home))


def as_list(value: Any) -> list[Any]:
    """One, several or none, as a list."""
    return [] if value is None else list(value) if isinstance(value, list) else [value]


def steps_of(config: Mapping[str, Any]) -> list[tuple[KeyPath, Any]]:
    """The steps of `compression` with their key paths."""
    steps = config.get("compression")
    if isinstance(steps, list):
        return [(("compression", index), step) for index, step in enumerate(steps)]
    return [] if steps is None else [(("compression",), steps)]


def dataset(name: str, data: Mapping[str, Any]) -> Dataset:
    """A dataset; the suffix of its file tells the format."""
    path = embedded.DATASETS[data["id"]] if data["source"] == "embedded" else Path(data["path"])
    plain = {key: data[key] for key in ("source", "id", "column", "prompt", "reply", "labels") if key in data}
    inputs = data.get("inputs", {})
    return Dataset(
        name=name,
        path=path,
        format=path.suffix.removeprefix("."),
        inputs={"": inputs} if isinstance(inputs, str) else dict(inputs),
        limit=_integer(data.get("limit")),
        preprocess=_preprocess(data["preprocess"]) if "preprocess" in data else None,
        **plain,
    )


def _integer(value: Any) -> int | None:
    """A whole number that YAML may hold as 128.0."""
    return None if value is None else int(value)


def _model(data: Mapping[str, Any]) -> ModelSource:
    revision = {"revision": "main"} if data["source"] == "huggingface" else {}
    path = {"path": Path(data["path"])} if "path" in data else {}
    return ModelSource(**{**revision, **data, **path})


def _preprocess(data: Mapping[str, Any]) -> Preprocess:
    layout = tuple(data["layout"].split("->")) if "layout" in data else None
    return Preprocess(
        scale=float(Fraction(data.get("scale", 1))),
        mean=tuple(float(value) for value in as_list(data.get("mean"))),
        std=tuple(float(value) for value in as_list(data.get("std"))),
        layout=layout,
        dtype=data.get("dtype", "float32"),
    )


def _input(data: Mapping[str, Any]) -> InputInfo:
    sizes = tuple(int(size) for size in data["sample_size"])
    return InputInfo(sizes, data.get("type", "float"), data.get("keyword"))


def _step(
    data: Mapping[str, Any], at: KeyPath, datasets: Mapping[str, Any]
) -> tuple[WeightCompression | Quantization, list[str]]:
    """A step of `compression`, and remarks about it."""
    notes = []
    if legacy.is_legacy(data):
        converted = legacy.convert(data, datasets)
        data = converted.step
        notes = [f"{dotted((*at, *key))}: {text}" for key, text in converted.notes]
    kind = WeightCompression if data["algorithm"] == "weight_compression" else Quantization
    values = {key: value for key, value in data.items() if value is not None}
    for key in ("group_size", "subset_size"):
        if key in values:
            values[key] = int(values[key])
    if "ignored_scope" in values:
        values["ignored_scope"] = _scope(values["ignored_scope"])
    if "advanced" in values:
        values["advanced"] = _advanced(values["advanced"])
    if "accuracy_control" in values:
        values["accuracy_control"] = AccuracyControl(
            **{"dataset": values["dataset"], **_advanced(values["accuracy_control"])}
        )
    return kind(**values), notes


_COUNTS = frozenset(
    {
        *("subset_size", "steps", "initial_steps", "scale_steps", "block_size", "adapter_rank", "num_iterations"),
        *("num_elements", "min_adjusted_group_size", "num_bits"),
        *("context_length", "max_num_iterations", "ranking_subset_size"),
    }
)


def _advanced(data: Mapping[str, Any]) -> dict[str, Any]:
    """Nested settings, whole numbers as integers."""
    values: dict[str, Any] = {}
    for key, value in data.items():
        values[key] = _advanced(value) if isinstance(value, dict) else int(value) if key in _COUNTS else value
    return values


def _scope(data: Mapping[str, Any]) -> IgnoredScope:
    values: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in data.items()}
    return IgnoredScope(**values)


def _filled_accuracy(data: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """The section with its defaults; of the runtime's properties, those that it doesn't state stay pinned."""
    if data is None:
        return None
    return {"reference": "converted", **data, "runtime": {**RUNTIME, **data.get("runtime", {})}}


def _accuracy(data: Mapping[str, Any] | None) -> Accuracy:
    if data is None:
        return Accuracy(runtime=dict(RUNTIME))
    return Accuracy(tuple(_check(check) for check in data["checks"]), _runtime(data["runtime"]), data["reference"])


def _runtime(data: Mapping[str, Any]) -> dict[str, Any]:
    """OpenVINO properties, whole numbers as integers; `default` leaves one to OpenVINO."""
    stated = {name: value for name, value in data.items() if value != "default"}
    return {name: int(value) if _whole(value) else value for name, value in stated.items()}


def _whole(value: Any) -> bool:
    return isinstance(value, float) and value.is_integer()


def _check(data: Mapping[str, Any]) -> Check:
    known = {one.name for one in fields(Check)} & _GATES
    params = {key: int(value) for key, value in data.items() if key not in known}
    return Check(**{key: value for key, value in data.items() if key in known}, params=params)
