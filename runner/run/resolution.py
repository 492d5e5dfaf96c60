"""Before a run: whether a dataset has the rows to tell what a gate asks for."""

from __future__ import annotations

import ast
import math
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from runner.data import table
from runner.errors import OvrunError
from runner.recipe.types import Dataset, Recipe
from runner.registry.formats import FORMATS
from runner.registry.own import family_of

FLIPPED = 0.05
"""The share of rows that is thought to change between two models, before it was measured."""
_Z = 1.959964
_ROUND = 100


def half_width(rows: int, flipped: float = FLIPPED) -> float:
    """Of the 95 % interval of a paired difference of shares near 0."""
    return _Z * math.sqrt(flipped / rows)


def rows_needed(drop: float, flipped: float = FLIPPED) -> int:
    """The rows with which that is as wide as a drop."""
    return math.ceil(flipped * (_Z / drop) ** 2)


def unresolved(recipes: Iterable[Recipe]) -> list[str]:
    """A sentence for each check of some recipes whose rows can't tell the drop that it allows, each once."""
    return list(dict.fromkeys(sentence for recipe in recipes for sentence in _sentences(recipe)))


def _sentences(recipe: Recipe) -> Iterator[str]:
    for check in recipe.accuracy.checks:
        if family_of(check).aggregate != "proportion" or not check.max_drop:
            continue
        rows = _count(recipe.datasets[check.dataset])
        if rows and half_width(rows) > check.max_drop:
            needed = math.ceil(rows_needed(check.max_drop) / _ROUND) * _ROUND
            what = f"{check.metric} on {check.dataset}: {rows:,} rows can't tell a drop of {check.max_drop:g} from 0"
            width = f"95 % interval about ±{half_width(rows):.2g} where one row in 20 changes"
            yield f"{what} ({width}); about {needed:,} rows would"


def _count(dataset: Dataset) -> int | None:
    """How many rows are used; None where that takes more than a look."""
    try:
        if FORMATS[dataset.format].shape != "arrays":
            return table.count(dataset)
        whole = _first_axis(dataset.path, next(iter(dataset.columns.values()))) if dataset.columns else None
    except (OvrunError, OSError, ValueError, SyntaxError, KeyError, zipfile.BadZipFile):
        return None
    return min(whole, dataset.limit or whole) if whole else dataset.limit


def _first_axis(path: Path, name: str) -> int | None:
    """The length of an array of an npz file, by its header alone."""
    if path.suffix != ".npz":
        return None
    with zipfile.ZipFile(path) as archive, archive.open(f"{name}.npy") as file:
        start = file.read(12)
        long = start[6] > 1
        size = int.from_bytes(start[8 : 12 if long else 10], "little")
        header = (b"" if long else start[10:]) + file.read(size - (0 if long else 2))
    shape = ast.literal_eval(header.decode("latin-1"))["shape"]
    return int(shape[0]) if shape else None
