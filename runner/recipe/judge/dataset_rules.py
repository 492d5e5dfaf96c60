"""What the schema of a dataset can't say: keys that name one thing twice, and preprocessing that can't be done."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from runner.base.values import mapping, section, text
from runner.recipe import build
from runner.recipe.datasets import SHORT
from runner.recipe.judge.wording import Finding
from runner.recipe.origins import KeyPath


def check(config: Mapping[str, object], bad: Collection[KeyPath]) -> Iterator[Finding]:
    """What is wrong with each dataset, as far as it isn't known to be `bad`."""
    datasets = config.get("datasets")
    for name, dataset in datasets.items() if isinstance(datasets, dict) else ():
        at = ("datasets", name)
        if not isinstance(dataset, dict) or any(known[:2] == at for known in bad):
            continue
        yield from _columns((*at, "columns"), dataset)
        if "preprocess" in dataset:
            yield from _preprocessing((*at, "preprocess"), mapping(dataset["preprocess"]))


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
