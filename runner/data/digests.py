"""The digest of the rows that are used of a dataset, and of what is done to them; remembered while no file changes."""

from __future__ import annotations

import contextlib
import hashlib
import json
import time
from pathlib import Path
from typing import TYPE_CHECKING

import runner.base.files as fs
from runner import data
from runner.data.handles import Handle
from runner.data.opening import open_file
from runner.data.table import described, rows
from runner.registry.formats import FORMATS

if TYPE_CHECKING:
    from collections.abc import Callable

    from runner.recipe.types import Dataset, Preprocess

_BLOCK = 1 << 20
_MADE = 1
"""Goes up when digests are made otherwise."""


def digest(dataset: Dataset) -> str:
    """SHA-256 over the rows that are used and over all that is done to them; names and places don't count.

    What is stated, and does nothing, doesn't count either.

    Raises:
        SourceError: a row can't be read.
    """
    reader, declared = data.reader(dataset), FORMATS[dataset.format]
    dataset = reader.given(dataset) if hasattr(reader, "given") else dataset
    shape: dict[str, object] = {"shape": declared.shape, "inputs": dict(dataset.inputs), "made": _MADE}
    shape["preprocess"] = dataset.preprocess and _steps(dataset.preprocess)
    shape |= {"revision": declared.revision} if declared.revision > 1 else {}
    total = hashlib.sha256(json.dumps(shape, sort_keys=True).encode(errors="surrogatepass"))
    if hasattr(reader, "digest"):
        total.update(json.dumps(sorted(dataset.columns.items())).encode(errors="surrogatepass"))
        reader.digest(dataset, total)
    elif declared.shape == "rows" and hasattr(reader, "records"):
        _rows(dataset, total)
    else:
        _file(dataset, total)
    return total.hexdigest()


def _rows(dataset: Dataset, total: hashlib._Hash) -> None:
    """Each row's values by their roles, images by their content."""
    for row in described(rows(dataset)):
        text = json.dumps(row.values, sort_keys=True, ensure_ascii=False, default=plain_value)
        total.update(text.encode(errors="surrogatepass"))
        total.update(b"\n")


def _file(dataset: Dataset, total: hashlib._Hash) -> None:
    """The whole file of a format that doesn't tell its rows apart."""
    told = (dataset.format, dict(dataset.columns), dataset.limit)
    total.update(json.dumps(told).encode(errors="surrogatepass"))
    with open_file(dataset) as file:
        while block := file.read(_BLOCK):
            total.update(block)


def plain_value(value: object) -> object:
    """What JSON has no form for."""
    if isinstance(value, Handle):
        with value.stream() as file:
            return hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]
    if isinstance(value, bytes):
        return hashlib.sha256(value).hexdigest()
    if hasattr(value, "tobytes"):
        content = hashlib.sha256(value.tobytes()).hexdigest()
        return [str(getattr(value, "dtype", "")), list(getattr(value, "shape", ())), content]
    return repr(value)


def _steps(steps: Preprocess) -> dict[str, object]:
    """The steps of preprocessing that do something."""
    stored, wanted = steps.layout or ("", "")
    image = {"resize": steps.resize, "crop": steps.crop, "color": steps.color, "resample": steps.resample}
    return {key: value for key, value in image.items() if value} | {
        "scale": steps.scale,
        "mean": steps.mean if any(steps.mean) else (),
        "std": steps.std if any(value != 1 for value in steps.std) else (),
        "layout": steps.layout if stored != wanted else None,
        "channels": stored.find("C") if len(steps.mean) > 1 or len(steps.std) > 1 else None,
        "dtype": steps.dtype,
        "integers": "rounded, saturated" if "int" in steps.dtype else None,
    }


def remembered(dataset: Dataset, memory: Path, make: Callable[[Dataset], str]) -> str:
    """What `make` says of a dataset, made anew only if one of the dataset's files or folders may have changed.

    Raises:
        SourceError: as `make`.
    """
    old, of = fs.recall(memory), hashlib.sha256(repr((_MADE, dataset)).encode(errors="surrogatepass")).hexdigest()
    known, said = old.get("files"), old.get("said")
    if old.get("of") == of and isinstance(known, dict) and isinstance(said, str) and _unchanged(known):
        return said
    now, said = time.time_ns(), make(dataset)
    with contextlib.suppress(OSError, ValueError):  # only a memory: without it the files are read again
        found = {str(path): fs.stat_of(path) for path in data.files(dataset)}
        if all(fs.settled(stat, now) for stat in found.values()):
            fs.write_json(memory, {"source": str(dataset.path), "of": of, "files": found, "said": said})
    return said


def _unchanged(known: dict[str, object]) -> bool:
    try:
        return bool(known) and all(list(fs.stat_of(Path(path))) == stat for path, stat in known.items())
    except (OSError, ValueError):
        return False
