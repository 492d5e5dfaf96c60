"""What the datasets of a recipe can give, as far as the recipe tells."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from runner.recipe.types import Dataset
from runner.registry.formats import FORMATS

SHORT: Mapping[str, str] = {
    "column": "text",
    "image": "image",
    "prompt": "prompt",
    "reply": "reply",
    "labels": "label",
}
"""A key of a dataset -> the role that it names the column of; `columns` names any."""
TOGETHER: Mapping[str, frozenset[str]] = {
    "pairs": frozenset({"prompt", "reply"}),
    "images": frozenset({"image", "text"}),
}
"""Kinds of data that are several roles in one row."""


def kinds(dataset: Dataset) -> frozenset[str]:
    """What the dataset can give: its roles, `arrays`, and of `pairs` and `images` (with text) those that they make."""
    shape = _shape(dataset)
    own = {"arrays"} if shape == "arrays" else {"text"} if shape == "text" else set()
    roles = own | set(dataset.columns)
    return frozenset(roles | {kind for kind, needed in TOGETHER.items() if needed <= roles})


def narrowed(dataset: Dataset, wanted: Iterable[str], *, inputs: bool = True) -> Dataset:
    """The dataset with the columns of the `wanted` kinds alone.

    Args:
        inputs: whether the arrays that feed a model stay.
    """
    wanted = set(wanted)
    roles = wanted.union(*(TOGETHER[kind] for kind in wanted & TOGETHER.keys()))
    columns = {role: column for role, column in dataset.columns.items() if role in roles}
    return replace(dataset, columns=columns, inputs=dataset.inputs if inputs else {})


def calibrating(dataset: Dataset, *, images: bool = False) -> Dataset:
    """What calibration reads: sounds, text, pairs, images or arrays, the first that the dataset has.

    Args:
        images: whether images come first, with texts where the dataset has both.
    """
    given = kinds(dataset)
    if images and "image" in given:
        return narrowed(dataset, ("image", "text"))
    first = next((kind for kind in ("audio", "text", "pairs", "image") if kind in given), "arrays")
    return narrowed(dataset, (first,))


def _shape(dataset: Dataset) -> str:
    declared = FORMATS.get(dataset.format)
    return declared.shape if declared else ""
