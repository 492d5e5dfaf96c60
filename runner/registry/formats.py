"""The formats of datasets: the suffix of a file tells which it is of."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from runner.registry.declared import Declaration, Declared

Shape = Literal["text", "rows", "arrays"]
Reader = Callable[[Path], Iterable[Mapping[str, object]]]

KEYS: Mapping[Shape, tuple[str, ...]] = {
    "text": (),
    "rows": ("column", "image", "prompt", "reply"),
    "arrays": ("inputs", "labels", "preprocess"),
}
"""The keys of a dataset that only formats of a shape have a use for."""


@dataclass(frozen=True)
class DataFormat(Declaration):
    """A format; its name is the suffix of its files, without the dot.

    Attributes:
        shape: `text`: one continuous text. `rows`: texts in named columns. `arrays`: named arrays whose first axis
            counts the items.
        revision: goes up when the same file is read otherwise.
        module: dotted name of the module that reads it, with `check(dataset)` and, by shape, `read_text`, `read_pairs`,
            `read_images` or `read_arrays`; or
        function: what `row_format` decorates.
    """

    shape: Shape = "rows"
    revision: int = 1
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


FORMATS: Declared[DataFormat] = Declared(DataFormat, "runner.data.formats", "ovrun.data_formats")

_GIVES: Mapping[str, tuple[tuple[Shape, str], ...]] = {
    "text": (("text", ""), ("rows", " with `column`")),
    "images": (("rows", " with `column` and `image`"),),
    "pairs": (("rows", " with `prompt` and `reply`"),),
    "arrays": (("arrays", ""),),
    "label": (("arrays", " with `labels`"),),
}


def givers(kind: str) -> str:
    """What gives data of a kind: `a txt file, or a jsonl file with `column``."""
    if kind not in _GIVES:
        return f"a dataset with `columns: {{{kind}: …}}`"
    found = list(_givers(kind))
    return ", or ".join(found)


def _givers(kind: str) -> Iterator[str]:
    for shape, condition in _GIVES[kind]:
        for declared in FORMATS.values():
            if declared.shape == shape:
                article = "an" if declared.name[0] in "aeionx" else "a"
                yield f"{article} {declared.name} file{condition}"
