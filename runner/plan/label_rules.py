"""Labels of a dataset are classes of the model, and these what a metric needs, as far as its config.json names them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice

from runner.base.words import missing
from runner.data import table
from runner.errors import OvrunError, Problem
from runner.metrics.families.words import ENTITIES
from runner.recipe.datasets import kinds
from runner.recipe.types import Recipe
from runner.registry.metrics import family_of
from runner.registry.words import shortened

_LOOKED_AT = 1000
"""Rows: what is wrong in later ones is told when they are measured."""
_NAMES = {"label": "class scores", "tags": "token classes"}
"""Role whose values name classes -> what is measured against them."""


def no_classes(recipe: Recipe, config: Mapping[str, object]) -> Iterator[Problem]:
    """A problem for each dataset that a metric of classes is measured on, and whose labels are names of others.

    And one for each `entity_f1` of a model whose classes are no tags of entities.
    """
    named = config.get("id2label")
    if not isinstance(named, Mapping):
        return
    classes, seen = [str(name) for name in named.values()], set()
    for position, check in enumerate(recipe.accuracy.checks):
        if check.own:  # what its labels are is its own
            continue
        family = family_of(check.metric)
        if check.metric == "entity_f1" and not any(name.startswith(ENTITIES) for name in classes):
            key = f"accuracy.checks.{position}.metric"
            what = f"the model's classes are no tags of entities, such as B-PER and I-PER: {shortened(classes)}"
            yield Problem(recipe.where(key), key, what, "token_accuracy is of any classes of words")
        for role in (one for one in family.targets if _NAMES.get(one) in family.rows):
            if (check.dataset, role) not in seen:
                seen.add((check.dataset, role))
                key = f"accuracy.checks.{position}.dataset"
                found = _wrong(recipe, check.dataset, role, classes)
                yield from (Problem(recipe.where(key), key, what) for what in found)


def _wrong(recipe: Recipe, name: str, role: str, classes: list[str]) -> Iterator[str]:
    """The first label that is no class; what can't be read is told by whoever checks the dataset.

    Arrays name nothing, for their labels are numbers.
    """
    if "arrays" in kinds(recipe.datasets[name]):
        return
    try:
        for row in islice(table.rows(recipe.datasets[name], [role]), _LOOKED_AT):
            value = row.values[role]
            for label in value if isinstance(value, list) else [value]:
                if isinstance(label, str) and label not in classes and not label.strip().isdecimal():
                    yield f"{row.where}: {missing('class of the model', label, classes)}"
                    return
    except OvrunError:
        return
