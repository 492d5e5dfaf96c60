"""The rules of a recipe that need the model's parts: which there are, what is of one alone, what feeds each."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

import runner.base.files as fs
from runner.base.words import near
from runner.errors import Problem
from runner.export import sighted
from runner.recipe.datasets import kinds
from runner.recipe.types import Quantization, Recipe, WeightCompression
from runner.registry.formats import givers
from runner.registry.own import family_of as family_of_metric
from runner.registry.tasks import TaskFamily, family_of

_OF_ONE = {
    "dataset": "calibration data are",
    "ignored_scope": "names of operations are",
    "accuracy_control": "accuracy control is",
}
"""Key of a step -> what it is, where a model must have one part for it."""
_ON_ROWS = "use a metric of what the whole model gives, such as word_error_rate, or remove the check"
_OWN = "give the parts their own in `parts`"


def unknown_parts(recipe: Recipe, parts: Collection[str]) -> Iterator[Problem]:
    """Parts that a recipe names and that its model lacks, and settings for the others if there are no others.

    Args:
        parts: the names of those that the model may have; none if nobody knows yet.
    """
    for name in recipe.parts if parts else ():
        if name not in parts:
            key = f"parts.{name}"
            there = f"it has {', '.join(parts)}"
            yield Problem(recipe.where(key), key, "the model has no such part", there, near(name, parts))
    if parts and recipe.compression and recipe.parts.keys() >= set(parts):
        what = "all parts have settings of their own in `parts`, and nothing is left"
        yield Problem(recipe.where("compression"), "compression", what, f"remove it; the parts are {', '.join(parts)}")


def check_against_parts(recipe: Recipe, task: str | None, parts: Collection[str]) -> Iterator[Problem]:
    """What needs a model of one part, of a recipe whose model has several.

    Args:
        task: Optimum's name.
        parts: the names of those that the model may have.
    """
    if len(parts) < 2:
        return
    family, rest = family_of(task), set(parts) - recipe.parts.keys()
    told = f"and a model for {family.name} has the parts {' and '.join(parts)}"
    for key, step in _steps(recipe):
        for name in _of_one(recipe, family, step, len(rest)):
            at, use = f"{key}.{name}", "remove it" if name == "accuracy_control" else _OWN
            yield Problem(recipe.where(at), at, f"{_OF_ONE[name]} of one network, {told}", use)
    for index, check in enumerate(recipe.accuracy.checks):
        if family_of_metric(check).function is None:
            key = f"accuracy.checks.{index}.metric"
            yield Problem(recipe.where(key), key, f"{check.metric} is measured on one network, {told}", _ON_ROWS)


def _of_one(recipe: Recipe, family: TaskFamily, step: WeightCompression | Quantization, parts: int) -> Iterator[str]:
    """The keys of a step for `parts` parts of a model of several that only a step for a model of one can have."""
    if step.dataset is not None and not (isinstance(step, Quantization) and _fed(recipe, family, step, parts)):
        yield "dataset"
    if step.ignored_scope is not None and parts > 1:
        yield "ignored_scope"
    if isinstance(step, Quantization) and step.accuracy_control is not None:
        yield "accuracy_control"


def _fed(recipe: Recipe, family: TaskFamily, step: Quantization, parts: int) -> bool:
    """Whether one dataset calibrates them all: texts do, and so does what a whole model with a decoder takes."""
    return parts < 2 or bool(family.cached) or "arrays" not in kinds(recipe.datasets[step.dataset])


def _steps(recipe: Recipe) -> Iterator[tuple[str, WeightCompression | Quantization]]:
    """Key -> step, of `compression`."""
    listed = isinstance(recipe.resolved.get("compression"), list)
    for index, step in enumerate(recipe.compression):
        yield f"compression.{index}" if listed else "compression", step


def unfed_parts(recipe: Recipe, task: str | None, parts: Collection[str]) -> Iterator[Problem]:
    """Parts that are to be calibrated, and that the dataset that is to can't feed.

    Args:
        task: Optimum's name.
        parts: the names of those that the model may have; none if nobody knows yet.
    """
    family = family_of(task)
    for key, part, step in _of_parts(recipe, parts):
        if step is None or step.dataset is None or part not in family.parts or part in family.text_parts:
            continue
        given, at = kinds(recipe.datasets[step.dataset]), f"{key}.dataset"
        if part in family.image_parts and given.isdisjoint({"arrays", "images"}):
            what = f'"{step.dataset}" has no images, and {part} is calibrated with images and texts'
            yield Problem(recipe.where(at), at, what, f"use {givers('images')}")
        elif part not in family.image_parts and "arrays" not in given and not _hears(family, part, given):
            what = f"no text feeds {part}, which takes arrays"
            usable = f"; texts feed {' and '.join(family.text_parts)}" if family.text_parts else ""
            use = f"compress its weights, in `parts.{part}`" if family.image_parts else f"use an npz dataset{usable}"
            yield Problem(recipe.where(at), at, what, use)


def _hears(family: TaskFamily, part: str, given: Collection[str]) -> bool:
    """Whether sounds feed a part: an encoder of them, or a decoder that writes about them."""
    return "audio" in given and family.fed_by("audio") and (part == "encoder" or part in family.cached)


def with_state(recipe: Recipe, task: str | None, parts: Collection[str]) -> Iterator[Problem]:
    """What can't be done to a part that is calibrated with its state.

    Args:
        task: Optimum's name.
        parts: the names of those that the model may have; none if nobody knows yet.
    """
    for key, part, step in _of_parts(recipe, parts):
        if part in family_of(task).cached and isinstance(step, WeightCompression) and step.gptq:
            what = f"NNCF's GPTQ runs pieces of a model, which have no state, and {part} is calibrated with its own"
            yield Problem(recipe.where(f"{key}.gptq"), f"{key}.gptq", what, "remove it, or try scale_estimation")


def unread_images(
    recipe: Recipe, config: Mapping[str, object], files: Mapping[str, Path], task: str | None, parts: Collection[str]
) -> Iterator[Problem]:
    """Parts that are to be calibrated with images, which nothing here reads as the model's own processor does.

    Args:
        config: the model's config.json.
        files: name -> file; none if nobody knows yet.
        task: Optimum's name.
        parts: the names of those that the model may have; none if nobody knows yet.
    """
    why = sighted.unread(
        config, {name: fs.read_object(path) for name, path in files.items() if name in sighted.PROCESSORS}
    )
    for key, part, step in _of_parts(recipe, parts) if why else ():
        if step is None or step.dataset is None or part not in family_of(task).image_parts:
            continue
        if "images" in kinds(recipe.datasets[step.dataset]):
            told = f"{part} is calibrated with what the model's processor makes of images, and {why}"
            use = "compress its weights without data, or use an npz dataset"
            yield Problem(recipe.where(f"{key}.dataset"), f"{key}.dataset", told, use)


def _of_parts(
    recipe: Recipe, parts: Collection[str]
) -> Iterator[tuple[str, str, WeightCompression | Quantization | None]]:
    """Key of the settings, part, settings: those of its own, and those that `compression` has for the rest."""
    yield from ((f"parts.{part}", part, step) for part, step in recipe.parts.items())
    rest = [part for part in parts if part not in recipe.parts] if len(parts) > 1 else []
    yield from ((key, part, step) for key, step in _steps(recipe) for part in rest)
