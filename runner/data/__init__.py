"""Datasets for calibration and checks: what they hold, their digest, their checks and their readers.

A txt file is one continuous text (`limit` counts its lines); a jsonl file has one row a line; an npz file has
named arrays. One module a format, imported when a dataset of it is touched; nothing here imports numpy.
"""

from __future__ import annotations

import hashlib
import importlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runner.base.digests import sha256_file
from runner.base.words import missing
from runner.data.opening import open_file
from runner.errors import SourceError
from runner.recipe.datasets import kinds
from runner.registry.formats import FORMATS, givers

if TYPE_CHECKING:
    from runner.data.images import ImageText
    from runner.data.npz import Arrays
    from runner.recipe.types import Dataset, Preprocess

_SHAPING = ("format", "limit")
_BLOCK = 1 << 20


def digest(dataset: Dataset) -> str:
    """SHA-256 over the content of its files and over all that shapes what is read of it; names and places don't count.

    What is stated, and does nothing, doesn't count either.

    Raises:
        SourceError: the file can't be read.
    """
    shape: dict[str, object] = {key: getattr(dataset, key) for key in _SHAPING}
    shape |= {"columns": dict(dataset.columns), "inputs": dict(dataset.inputs)}
    shape["preprocess"] = dataset.preprocess and _steps(dataset.preprocess)
    if declared := FORMATS.get(dataset.format):
        shape |= {"revision": declared.revision} if declared.revision > 1 else {}
    total = hashlib.sha256(json.dumps(shape, sort_keys=True).encode(errors="surrogatepass"))
    with open_file(dataset) as file:
        while block := file.read(_BLOCK):
            total.update(block)
    for path in files(dataset)[1:]:
        total.update(bytes.fromhex(sha256_file(path)))
    return total.hexdigest()


def files(dataset: Dataset) -> list[Path]:
    """All files that are read of a dataset: its own, and those that its rows name.

    Raises:
        SourceError: one can't be read.
    """
    named = read_images(dataset) if "image" in dataset.columns else []
    return [dataset.path, *dict.fromkeys(one.path for one in named)]


def _steps(steps: Preprocess) -> dict[str, object]:
    """The steps of preprocessing that do something."""
    stored, wanted = steps.layout or ("", "")
    return {
        "scale": steps.scale,
        "mean": steps.mean if any(steps.mean) else (),
        "std": steps.std if any(value != 1 for value in steps.std) else (),
        "layout": steps.layout if stored != wanted else None,
        "channels": stored.find("C") if len(steps.mean) > 1 or len(steps.std) > 1 else None,
        "dtype": steps.dtype,
        "integers": "rounded, saturated" if "int" in steps.dtype else None,
    }


def check(dataset: Dataset) -> None:
    """Find what is wrong with the dataset before any heavy work, reading only the rows that will be used.

    Raises:
        SourceError: no such file, not UTF-8, not JSON, no such column or array, nothing in it, or lengths that differ.
    """
    open_file(dataset).close()
    reader(dataset).check(dataset)


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
    """The arrays of an npz dataset, as stored; batches of it come preprocessed.

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
