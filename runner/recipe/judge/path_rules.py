"""The paths of a recipe can be those of files: a place is given where they can't, before anything looks for them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from runner.base.paths import refusal
from runner.recipe import build
from runner.recipe.companions import COMPANIONS
from runner.recipe.judge.wording import Finding
from runner.recipe.origins import KeyPath, Origins


def check(config: Mapping[str, object], origins: Origins, bad: Collection[KeyPath]) -> Iterator[Finding]:
    """What is wrong with the paths of the model, of what goes with it or is compared with it, and of the datasets."""
    for at, path in _paths(config):
        if at not in bad and (what := refusal(build.absolute(path, at, origins))):
            yield Finding(at, what, "allowed: a path to a file or folder")


def _paths(config: Mapping[str, object]) -> Iterator[tuple[KeyPath, str]]:
    datasets = config.get("datasets")
    named = datasets.items() if isinstance(datasets, dict) else ()
    model = config.get("model")
    stated = model if isinstance(model, dict) else {}
    beside = [(("model", key), stated.get(key)) for key in COMPANIONS]
    if isinstance(model, dict) and isinstance(model.get("weights"), str):
        yield ("model", "weights"), model["weights"]
    accuracy = config.get("accuracy")
    reference = accuracy.get("reference") if isinstance(accuracy, dict) else None
    holders: list[tuple[KeyPath, object]] = [(("model",), model), *beside, (("accuracy", "reference"), reference)]
    checks = accuracy.get("checks") if isinstance(accuracy, dict) else None
    for index, one in enumerate(checks if isinstance(checks, list) else ()):
        if isinstance(one, dict) and isinstance(one.get("encoder"), str):
            yield ("accuracy", "checks", index, "encoder"), one["encoder"]
    holders += build.own_metrics(config)
    for at, holder in [*holders, *((("datasets", name), data) for name, data in named)]:
        if isinstance(holder, dict) and isinstance(holder.get("path"), str):
            yield (*at, "path"), holder["path"]
