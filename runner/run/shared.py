"""Before a run: rows that calibrate and are measured on too."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import runner.base.files as fs
from runner import data
from runner.data.digests import remembered
from runner.data.overlap import overlap
from runner.errors import OvrunError
from runner.recipe.datasets import calibrating
from runner.recipe.types import Dataset, Recipe

if TYPE_CHECKING:
    from runner.store import Store


def shared_rows(recipes: Iterable[Recipe], store: Store) -> list[str]:
    """A sentence for each dataset of a check whose rows calibrate the model too, each once."""
    return list(dict.fromkeys(sentence for recipe in recipes for sentence in _sentences(recipe, store)))


def _sentences(recipe: Recipe, store: Store) -> Iterator[str]:
    checked = dict.fromkeys(check.dataset for check in recipe.accuracy.checks)
    for name in _calibrate(recipe):
        for other in checked:
            first, second = recipe.datasets[name], recipe.datasets[other]
            if name == other:
                yield f"{name} calibrates the model, and is measured on too: {_SAYS}"
                continue
            shared, rows = _counted(first, second, store)
            if shared:
                yield f"{shared:,} of {rows:,} rows of {other} are in {name} too, which calibrates the model: {_SAYS}"


_SAYS = "figures of rows that calibrated say too little of others"


def _calibrate(recipe: Recipe) -> list[str]:
    """The datasets that calibrate."""
    steps = [*recipe.compression, *(own for own in recipe.parts.values() if own)]
    named = [step.dataset for step in steps if step.dataset]
    return list(dict.fromkeys(named))


def _counted(first: Dataset, second: Dataset, store: Store) -> tuple[int, int]:
    """How many rows of the second are in the first, and how many it has; counted once for equal data."""
    digests = [_digest(calibrating(one), store) for one in (first, second)]
    memory = store.digest_memory(f"shared rows {digests}")
    known = fs.recall(memory).get("shared")
    if isinstance(known, list) and len(known) == 2:
        return int(known[0]), int(known[1])
    try:
        found = overlap(first, second)
    except OvrunError:  # which what reads it tells
        return 0, 0
    with contextlib.suppress(OSError):
        fs.write_json(memory, {"source": str(first.path), "shared": list(found)})
    return found


def _digest(dataset: Dataset, store: Store) -> str:
    return remembered(dataset, store.digest_memory(f"dataset {dataset!r}"), data.digest)
