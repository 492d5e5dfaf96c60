"""What the datasets of a recipe can give, as far as the recipe tells."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from runner.recipe.types import Dataset
from runner.registry.formats import FORMATS


def kinds(dataset: Dataset) -> frozenset[str]:
    """What the dataset can give: some of `text`, `images` (with text), `pairs` (with reply), `arrays`, `labels`."""
    shape = _shape(dataset)
    if shape == "arrays":
        return frozenset({"arrays", "labels"} if dataset.labels else {"arrays"})
    found = {"text"} if shape == "text" or dataset.column else set()
    found |= {"images"} if dataset.image and dataset.column else set()
    return frozenset(found | ({"pairs"} if dataset.prompt and dataset.reply else set()))


def narrowed(dataset: Dataset, wanted: Iterable[str]) -> Dataset:
    """The dataset without the columns and arrays that only kinds which are not `wanted` need.

    Of text and pairs, text is read where both are wanted and given.
    """
    kept = kinds(dataset) & set(wanted)
    if _shape(dataset) == "arrays":
        return dataset if "labels" in kept else replace(dataset, labels=None)
    if "images" not in kept:
        dataset = replace(dataset, image=None)
    if kept & {"text", "images"}:
        return replace(dataset, prompt=None, reply=None)
    return replace(dataset, column=None) if "pairs" in kept else dataset


def calibrating(dataset: Dataset, *, images: bool = False) -> Dataset:
    """What calibration reads of a dataset: text, with `images` where it is of both, or else pairs, or arrays alone."""
    return narrowed(dataset, ("text", "pairs", "arrays", *(["images"] if images else [])))


def _shape(dataset: Dataset) -> str:
    declared = FORMATS.get(dataset.format)
    return declared.shape if declared else ""
