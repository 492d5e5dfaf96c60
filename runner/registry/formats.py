"""The formats of datasets: the suffix of a file tells which it is of."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from runner.registry.declared import Declaration, Declared

Shape = Literal["text", "rows", "arrays", "task"]
Reader = Callable[[Path], Iterable[Mapping[str, object]]]

KEYS: Mapping[Shape, tuple[str, ...]] = {
    "text": (),
    "rows": ("column", "image", "prompt", "reply"),
    "arrays": ("inputs",),
    "task": (),
}
"""The keys of a dataset that only formats of a shape have a use for."""

TASK_FILE = "task file"
"""The role of a file that says itself how models are asked; no column can have it."""


@dataclass(frozen=True)
class DataFormat(Declaration):
    """A format; its name is the suffix of its files, without the dot, or what a recipe calls a folder of it.

    Attributes:
        shape: `text`: one continuous text. `rows`: texts in named columns. `arrays`: named arrays whose first axis
            counts the items. `task`: a file that says which rows there are, and how a model is asked for each.
        revision: goes up when the same file is read otherwise.
        folder: whether it is one of folders, which have no suffix.
        splits: whether it can have several parts, of which a recipe names one.
        roles: role -> the column that plays it unless the recipe says otherwise.
        package: that its module imports, and that need not be there.
        extra: of ovrun, that brings the package.
        module: dotted name of the module that reads it, with `check(dataset)` and, by shape, `read_text`, `read_pairs`,
            `read_images` or `read_arrays`, and with `records(dataset)` for rows that are not loaded as a whole; or
        function: what `row_format` decorates.
    """

    shape: Shape = "rows"
    revision: int = 1
    folder: bool = False
    splits: bool = False
    roles: Mapping[str, str] = field(default_factory=dict)
    package: str = ""
    extra: str = ""
    module: str = ""
    function: Reader | None = None


def row_format(name: str, *, help: str, revision: int = 1) -> Callable[[Reader], DataFormat]:
    """Declare a format of rows by the function that reads a file's rows, each as column -> value, one after the other.

    The function raises ValueError for what it can't read; columns that a recipe names have to hold texts.

    Args:
        name: the suffix of the files, without the dot.
        revision: raise it when the function reads the same file otherwise.
    """

    def declare(function: Reader) -> DataFormat:
        return DataFormat(name, help, shape="rows", revision=revision, module="runner.data.rows", function=function)

    return declare


OF_HUB = "dataset"
"""The format of a dataset of the hub: a folder of files of other formats."""

FORMATS: Declared[DataFormat] = Declared(DataFormat, "runner.data.formats", "ovrun.data_formats")

_GIVES: Mapping[str, tuple[tuple[Shape, str], ...]] = {
    "text": (("text", ""), ("rows", " with `column`")),
    "images": (("rows", " with `column` and `image`"),),
    "image": (("rows", " with `image`"),),
    "pairs": (("rows", " with `prompt` and `reply`"),),
    "arrays": (("arrays", ""),),
    "label": (("arrays", " with `labels`"), ("rows", " with `labels`")),
}


def givers(kind: str) -> str:
    """What gives data of a kind: `a txt file, or rows (csv, json, jsonl, …) with `column``."""
    if kind not in _GIVES:
        return f"a dataset with `columns: {{{kind}: …}}`"
    return ", or ".join(_giver(shape, condition) for shape, condition in _GIVES[kind])


def _giver(shape: Shape, condition: str) -> str:
    names = sorted(one.name for one in FORMATS.values() if one.shape == shape and not one.folder)
    if len(names) == 1:
        return f"{'an' if names[0][0] in 'aeionx' else 'a'} {names[0]} file{condition}"
    return f"{shape} ({', '.join(names)}){condition}"
