"""Datasets for calibration and checks: what they hold, their digest, their checks and their readers.

A text is read as a whole, or line by line; rows have named columns; arrays have items. One module a format, imported
when a dataset of it is touched; nothing here imports numpy. `runner.data.table` gives all of them as rows.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runner.base.words import missing
from runner.data.opening import open_file
from runner.errors import SourceError
from runner.recipe.datasets import kinds
from runner.registry.formats import FORMATS, givers

if TYPE_CHECKING:
    from runner.data.arrays import Arrays
    from runner.data.images import ImageText
    from runner.recipe.types import Dataset


def digest(dataset: Dataset) -> str:
    """SHA-256 over the rows that are used and over all that is done to them; names and places don't count.

    Raises:
        SourceError: a row can't be read.
    """
    from runner.data import digests

    return digests.digest(dataset)


def files(dataset: Dataset) -> list[Path]:
    """All files that are read of a dataset: its own, those that its rows name, and folders that are looked through.

    Raises:
        SourceError: one can't be read.
    """
    from runner.data import table

    module = reader(dataset)
    own = module.files(dataset) if hasattr(module, "files") else [dataset.path]
    return list(dict.fromkeys([*own, *(one.path for one in table.handles(dataset))]))


def check(dataset: Dataset) -> None:
    """Find what is wrong with the dataset before any heavy work, reading only the rows that will be used.

    Raises:
        SourceError: no such file, not UTF-8, not JSON, no such column or array, nothing in it, or lengths that differ.
    """
    module = reader(dataset)
    if not FORMATS[dataset.format].folder:
        open_file(dataset).close()
    module.check(dataset)


def reader(dataset: Dataset) -> Any:
    """What reads the dataset's format.

    Raises:
        SourceError: there is no such format.
    """
    if dataset.format not in FORMATS:
        message = f"dataset {dataset.name}: {missing('format', dataset.format, FORMATS)}"
        raise SourceError(message)
    declared = FORMATS[dataset.format]
    module = importlib.import_module(declared.module)
    return module.reader(declared) if declared.function else module


def read_text(dataset: Dataset) -> list[str]:
    """The rows of a text dataset, those with nothing but white space left out; a txt file is one row.

    Raises:
        SourceError: the dataset holds no text, or can't be read.
    """
    rows: list[str] = _read(dataset, "text")
    return rows


def read_pairs(dataset: Dataset) -> list[tuple[str, str]]:
    """The (prompt, reply) rows of a jsonl dataset.

    Raises:
        SourceError: the dataset holds no pairs, or can't be read.
    """
    pairs: list[tuple[str, str]] = _read(dataset, "pairs")
    return pairs


def read_images(dataset: Dataset) -> list[ImageText]:
    """The images of a dataset of rows, each with its text.

    Raises:
        SourceError: the dataset names no images, or can't be read.
    """
    found: list[ImageText] = _read(dataset, "images")
    return found


def read_arrays(dataset: Dataset) -> Arrays:
    """The arrays of a dataset, as stored; batches of it come preprocessed.

    Raises:
        SourceError: the dataset holds no arrays, or can't be read.
    """
    arrays: Arrays = _read(dataset, "arrays")
    return arrays


def _read(dataset: Dataset, kind: str) -> Any:
    if kind not in kinds(dataset):
        message = f"dataset {dataset.name} ({dataset.path.name}) gives no {kind}; what is needed here is {givers(kind)}"
        raise SourceError(message)
    return getattr(reader(dataset), f"read_{kind}")(dataset)
