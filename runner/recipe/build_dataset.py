"""A dataset of valid plain data."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path

from runner import embedded
from runner.base.values import made, mapping, numeric, section, text, whole
from runner.recipe.dataset import Dataset, Preprocess
from runner.recipe.datasets import SHORT
from runner.registry.formats import FORMATS, OF_HUB


def dataset(name: str, data: Mapping[str, object]) -> Dataset:
    """A dataset; the suffix of its file tells the format, unless it is stated."""
    path = _path_of(data)
    stated = {key: data[key] for key in ("source", "id", "where", "split", "revision", "shuffle") if key in data}
    short = {role: data[key] for key, role in SHORT.items() if key in data}
    inputs = data.get("inputs")
    kind = OF_HUB if data["source"] == "huggingface" else text(data.get("format", path.suffix.removeprefix(".")))
    declared = FORMATS.get(kind)
    made_of = {
        "name": name,
        "path": path,
        "format": kind,
        "columns": {**(declared.roles if declared else {}), **short, **section(data, "columns")},
        "inputs": {"": inputs} if isinstance(inputs, str) else dict(section(data, "inputs")),
        "limit": _integer(data.get("limit")),
        "seed": whole(data.get("seed", 0)),
        "preprocess": _preprocess(mapping(data["preprocess"])) if "preprocess" in data else None,
    }
    if kind == "npy" and inputs is None:
        made_of["inputs"] = {"": path.stem}
    return made(Dataset, {**made_of, **stated})


def _path_of(data: Mapping[str, object]) -> Path:
    if data["source"] == "embedded":
        return embedded.DATASETS[text(data["id"])]
    return Path(text(data["id" if data["source"] == "huggingface" else "path"]))


def _integer(value: object) -> int | None:
    """A whole number that YAML may hold as 128.0."""
    return None if value is None else whole(value)


def _preprocess(data: Mapping[str, object]) -> Preprocess:
    stored, _, wanted = text(data["layout"]).partition("->") if "layout" in data else ("", "", "")
    scale = data.get("scale", 1)
    return Preprocess(
        scale=float(Fraction(scale if isinstance(scale, str) else numeric(scale))),
        mean=tuple(float(numeric(value)) for value in as_list(data.get("mean"))),
        std=tuple(float(numeric(value)) for value in as_list(data.get("std"))),
        layout=(stored, wanted) if wanted else None,
        dtype=text(data.get("dtype", "float32")),
        resize=tuple(whole(size) for size in as_list(data.get("resize"))),
        crop=tuple(whole(size) for size in as_list(data.get("crop"))),
        color=None if "color" not in data else text(data["color"]),
        resample=None if "resample" not in data else text(data["resample"]),
    )


def as_list(value: object) -> list[object]:
    """One, several or none, as a list."""
    return [] if value is None else list(value) if isinstance(value, list) else [value]
