"""What the schema of a dataset can't say: keys that name one thing twice, and preprocessing that can't be done."""

from __future__ import annotations

import importlib.util
from collections.abc import Collection, Iterator, Mapping

from runner.base.values import mapping, section, text
from runner.recipe import build
from runner.recipe.datasets import SHORT
from runner.recipe.judge.wording import Finding
from runner.recipe.origins import KeyPath
from runner.recipe.types import Dataset
from runner.registry.formats import FORMATS


def check(config: Mapping[str, object], bad: Collection[KeyPath]) -> Iterator[Finding]:
    """What is wrong with each dataset, as far as it isn't known to be `bad`."""
    datasets = config.get("datasets")
    for name, dataset in datasets.items() if isinstance(datasets, dict) else ():
        at = ("datasets", name)
        if not isinstance(dataset, dict) or any(known[:2] == at for known in bad):
            continue
        yield from _columns((*at, "columns"), dataset)
        yield from _packages(at, build.dataset(str(name), dataset))
        if "preprocess" in dataset:
            yield from _preprocessing((*at, "preprocess"), mapping(dataset["preprocess"]))
            yield from _pictured((*at, "preprocess"), build.dataset(str(name), dataset))


def _columns(at: KeyPath, dataset: Mapping[str, object]) -> Iterator[Finding]:
    """A role is named once: in `columns`, or by its own key."""
    columns = section(dataset, "columns")
    for key, role in SHORT.items():
        if key in dataset and role in columns:
            yield Finding((*at, role), f"`{key}` names the column of {role} already", "state one of the two")


def _preprocessing(at: KeyPath, steps: Mapping[str, object]) -> Iterator[Finding]:
    layout = text(steps.get("layout", ""))
    stored, _, wanted = layout.partition("->")
    if sorted(stored) != sorted(wanted) or len(set(stored)) != len(stored):
        yield Finding((*at, "layout"), f'"{layout}" doesn\'t reorder the same axes', "such as NHWC->NCHW")
    for key in ("mean", "std"):
        if len(build.as_list(steps.get(key))) > 1 and "C" not in stored:
            yield Finding((*at, key), "several values need a layout with an axis C", "such as NHWC->NCHW")
    if 0 in build.as_list(steps.get("std")):
        yield Finding((*at, "std"), "0 can't be divided by")


_NEEDED = {"image": ("PIL", "pillow", "images"), "audio": ("soundfile", "soundfile", "audio")}
"""Role -> the module that reads it, its package, and the extra of ovrun that brings it."""


def _packages(at: KeyPath, dataset: Dataset) -> Iterator[Finding]:
    """What reads the dataset is installed."""
    declared = FORMATS[dataset.format]
    arrays = declared.shape == "arrays"
    needed = [(declared.package, declared.package, declared.extra)] if declared.package else []
    needed += [] if arrays else [_NEEDED[role] for role in _NEEDED if role in dataset.columns]
    for module, package, extra in needed:
        if not importlib.util.find_spec(module):
            yield Finding(
                at, f"it is read with the package {package}, which is not installed", f"pip install 'ovrun[{extra}]'"
            )


def _pictured(at: KeyPath, dataset: Dataset) -> Iterator[Finding]:
    """Images are resized, cropped and colored; rows without images have nothing to preprocess."""
    steps, shape = dataset.preprocess, FORMATS[dataset.format].shape
    if shape == "rows" and "image" not in dataset.columns:
        yield Finding(at, "it is of images and of arrays, and no column of the dataset holds images")
    for key in ("resize", "crop", "color", "resample"):
        if shape == "arrays" and getattr(steps, key):
            yield Finding((*at, key), "it is of images, and the dataset holds arrays")
    if steps and steps.resample and not steps.resize:
        yield Finding((*at, "resample"), "it is how `resize` is done, and nothing is resized", "remove it")
    if steps and shape == "rows" and steps.layout and sorted(steps.layout[0].replace("N", "")) != ["C", "H", "W"]:
        yield Finding((*at, "layout"), "an image has the layout HWC", "such as HWC->CHW")
