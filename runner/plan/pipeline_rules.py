"""The rules of a recipe that need what is known of a pipeline of diffusers: its class, and shapes of its weights."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from runner.base.keys import version_of
from runner.base.words import near
from runner.errors import Problem
from runner.model import pipeline
from runner.model.safetensors import shapes
from runner.plan.model_rules import undivided
from runner.recipe.judge.weight_rules import INT8
from runner.recipe.types import Recipe, WeightCompression

_DENOISERS = ("unet", "transformer")
"""The parts that `compression` is for, whatever it says: each has its own name in a pipeline."""


def check_pipeline(
    recipe: Recipe, index: Mapping[str, object], task: str | None, files: Mapping[str, Path]
) -> list[Problem]:
    """What of a recipe doesn't fit a pipeline.

    Args:
        index: its model_index.json.
        task: what it is to be used for.
        files: name -> file of those that are there.
    """
    return [*_absent(recipe), *_task(recipe, index, task), *_groups(recipe, files)]


def _absent(recipe: Recipe) -> Iterator[Problem]:
    if version_of("diffusers") == "absent":
        what = "it is a pipeline of diffusers, and that package, which loads it, is not installed"
        yield Problem(recipe.where("model"), "model", what, "pip install 'ovrun[diffusers]'")


def _task(recipe: Recipe, index: Mapping[str, object], task: str | None) -> Iterator[Problem]:
    usable = pipeline.tasks(index)
    if task not in usable:
        what = f"a {index['_class_name']} is not for {task}"
        allowed, guess = f"allowed: {', '.join(usable)}", near(str(task), usable)
        yield Problem(recipe.where("model.task"), "model.task", what, allowed, guess)


def _groups(recipe: Recipe, files: Mapping[str, Path]) -> Iterator[Problem]:
    """A group size that some layer of what denoises has no whole number of."""
    listed = isinstance(recipe.resolved.get("compression"), list)
    for index, step in enumerate(recipe.compression):
        for part in (name for name in _DENOISERS if name not in recipe.parts):
            yield from _of_part(recipe, step, f"compression.{index}" if listed else "compression", part, files)
    for part, own in recipe.parts.items():
        yield from _of_part(recipe, own, f"parts.{part}", part, files)


def _of_part(recipe: Recipe, step: object, key: str, part: str, files: Mapping[str, Path]) -> Iterator[Problem]:
    if isinstance(step, WeightCompression) and step.mode not in INT8:
        yield from undivided(recipe, step, key, _channels(part, files))


def _channels(part: str, files: Mapping[str, Path]) -> dict[str, int]:
    """The input channels of a part's linear layers: for each number of them, one layer that has it."""
    headers = [shapes(path) for name, path in files.items() if _holds_weights(name, part)]
    by_count = {
        shape[1]: layer.removesuffix(".weight")
        for header in headers
        for layer, shape in header.items()
        if len(shape) == 2 and layer.endswith(".weight") and not layer.endswith("class_embedding.weight")
    }
    return {layer: count for count, layer in sorted(by_count.items())}


def _holds_weights(name: str, part: str) -> bool:
    return name.startswith(f"{part}/") and name.endswith(".safetensors")
