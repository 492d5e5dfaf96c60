"""Folders of data files: what the library `datasets` saved, and a repository of the hub as it is there.

Nothing of them is run: Arrow, Parquet, JSON, csv and texts are read by their own formats, and other files are not
looked at.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import runner.base.files as fs
from runner import data
from runner.base.words import missing
from runner.data import hub
from runner.data.folders import part
from runner.data.records import Record
from runner.data.rows import RowReader
from runner.errors import SourceError

if TYPE_CHECKING:
    from runner.recipe.types import Dataset

SUFFIXES = ("parquet", "arrow", "jsonl", "json", "csv", "tsv", "txt")
"""Of files that are rows, the likeliest first: if there are several kinds, the first counts."""
_WORDS = {
    "train": ("train", "training"),
    "validation": ("validation", "valid", "val", "dev"),
    "test": ("test", "testing", "eval", "evaluation"),
}
"""Split -> words of a file's path that tell it, as the library has them."""
_OTHER = frozenset({"dataset_info", "dataset_infos", "dataset_dict", "state", "readme", "license", "requirements"})


def records(dataset: Dataset) -> Iterator[Record]:
    """The rows of all files of the split, one file after the other.

    Raises:
        SourceError: no such folder or split, or a file can't be read.
    """
    yield from of_files(dataset, files(dataset))


def of_files(dataset: Dataset, paths: Iterable[Path]) -> Iterator[Record]:
    """The rows of files, one file after the other.

    Raises:
        SourceError: one can't be read.
    """
    first = 0
    for path in paths:
        inner = replace(dataset, source="file", path=path, format=path.suffix[1:])
        number = -1
        for number, record in enumerate(data.reader(inner).records(inner)):
            yield replace(record, number=first + number)
        first += number + 1


def root(dataset: Dataset) -> Path:
    """The folder; of a dataset of the hub, where it was fetched to."""
    return hub.fetched(dataset, split_files) if dataset.source == "huggingface" else part(replace(dataset, split=None))


def files(dataset: Dataset) -> list[Path]:
    """The files of the split, in their order.

    Raises:
        SourceError: no such folder or split.
    """
    top = root(dataset)
    if saved := _saved(dataset, top):
        return saved
    names = [path.relative_to(top).as_posix() for path in sorted(top.rglob("*")) if path.is_file()]
    return [top / name for name in split_files(dataset, names)]


def _saved(dataset: Dataset, top: Path) -> list[Path]:
    """The files of a folder that `save_to_disk` made; none if it is another."""
    splits = fs.read_object(top / "dataset_dict.json").get("splits")
    if isinstance(splits, list):
        top = top / _one(dataset, [str(name) for name in splits])
    state = fs.read_object(top / "state.json")
    if state.get("_indices_files"):
        message = f"dataset {dataset.name}: {top} was saved with a list of the rows in use, which is not read"
        raise SourceError(message, hint="Call `flatten_indices()` before `save_to_disk`.")
    listed = state.get("_data_files")
    names = [str(one.get("filename")) for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
    if any("/" in name or name.startswith(".") or not name.endswith(".arrow") for name in names):
        message = f"dataset {dataset.name}: {top / 'state.json'} names files that are no Arrow files beside it"
        raise SourceError(message)
    return [top / name for name in names]


def split_files(dataset: Dataset, names: Sequence[str]) -> list[str]:
    """The data files of the dataset's split; `CONFIGURATION/SPLIT` is the split of a folder of the repository.

    Raises:
        SourceError: there are none, or several splits of which none is named.
    """
    folder, _, split = (dataset.split or "").rpartition("/")
    there = [name for name in names if name.startswith(f"{folder}/")] if folder else list(names)
    found = [name for name in there if _is_data(name)]
    kind = next((one for one in SUFFIXES if any(name.endswith(f".{one}") for name in found)), None)
    if kind is None:
        message = f"dataset {dataset.name}: {dataset.path} has no data files ({', '.join(SUFFIXES)})"
        raise SourceError(message + (f" in {folder}" if folder else ""))
    grouped: dict[str, list[str]] = {}
    for name in found:
        if name.endswith(f".{kind}"):
            grouped.setdefault(_split_of(name), []).append(name)
    chosen = sorted(grouped[_one(replace(dataset, split=split or None), list(grouped))])
    folders = {name.rpartition("/")[0] for name in chosen}
    if not folder and len(folders) > 1:
        message = f"dataset {dataset.name}: {dataset.path} has the folders {', '.join(sorted(folders))}"
        raise SourceError(message, hint="Name one of them with `split: FOLDER/SPLIT`.")
    return chosen


def _is_data(name: str) -> bool:
    path = Path(name)
    hidden = any(one.startswith(".") for one in path.parts)
    return not hidden and path.suffix[1:] in SUFFIXES and path.stem.lower() not in _OTHER


def _split_of(name: str) -> str:
    """The split of a file by the words of its path; that of a file without any is train."""
    words = re.split(r"[^a-z]+", name.lower())
    return next((split for split, known in _WORDS.items() if set(known) & set(words)), "train")


def _one(dataset: Dataset, splits: Sequence[str]) -> str:
    """The split that is named, or the only one."""
    if dataset.split is None and len(splits) == 1:
        return splits[0]
    if dataset.split in splits:
        return str(dataset.split)
    message = f"dataset {dataset.name}: {dataset.path} has the splits {', '.join(splits)}"
    if dataset.split is not None:
        message = f"dataset {dataset.name}: {dataset.path}: {missing('split', dataset.split, splits)}"
    raise SourceError(message, hint="Name one of them with `split`.")


_READER = RowReader(records)
check, read_text, read_pairs = _READER.check, _READER.read_text, _READER.read_pairs
read_images = _READER.read_images
