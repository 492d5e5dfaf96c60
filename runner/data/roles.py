"""What a role takes of a row's column: texts, lists of texts, numbers, images. Other roles take any value."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from runner import data
from runner.base.words import missing
from runner.data.images import Picture
from runner.data.sounds import Sound
from runner.errors import SourceError
from runner.registry.formats import FORMATS

if TYPE_CHECKING:
    from pathlib import Path

    from runner.recipe.types import Dataset

TEXTS = frozenset({"text", "text_pair", "prompt", "reply", "question", "context", "query", "document"})
LISTS = frozenset({"answers", "choices", "tokens", "tags"})
NUMBERS = frozenset({"score"})
IMAGES = frozenset({"image", "mask", "depth"})
FILES = IMAGES | {"audio"}
"""Roles that are files, which a row names or holds."""
_WHOLE = re.compile(r"[+-]?\d{1,18}")
_SURROGATES = re.compile("[\ud800-\udfff]")


def taken(dataset: Dataset, role: str, where: str, row: Mapping[str, object]) -> object:
    """The value of a role in a row.

    Raises:
        SourceError: the row lacks the column, or holds in it what the role can't take.
    """
    column = dataset.columns.get(role, role)
    if column not in row:
        message = f"{where}: {missing('column', column, row)}"
        raise SourceError(message)
    value = row[column]
    if value is None or (role == "label" and isinstance(value, str) and not value):
        message = f'{where}: column "{column}" has no value'
        raise SourceError(message, hint="Leave such rows out with `where`, or give them a value.")
    if role in FILES:
        kind, folder = Sound if role == "audio" else Picture, home(dataset)
        return kind.of(where, column, folder, value) if isinstance(value, str | Mapping) else value
    return _CASTS[role](_Cell(where, column), value) if role in _CASTS else value


def home(dataset: Dataset) -> Path:
    """The folder with which the paths of a dataset's rows begin."""
    if not FORMATS[dataset.format].folder:
        return dataset.path.parent
    root: Path = data.reader(dataset).root(dataset)
    return root


class _Cell:
    """A column of a row, for messages."""

    def __init__(self, where: str, column: str) -> None:
        self.at = f'{where}: column "{column}"'

    def text(self, value: object) -> str:
        if not isinstance(value, str):
            message = f"{self.at} holds {_shown(value)}, not a text"
            raise SourceError(message)
        if _SURROGATES.search(value):
            message = f"{self.at} has half a character (a surrogate such as \\ud800 alone)"
            raise SourceError(message, hint="Such a text has no UTF-8: write it anew from its source.")
        return value

    def listed(self, value: object) -> list[object]:
        """A list; of a text alone, and of the mapping that SQuAD has for answers, the list that it stands for."""
        if isinstance(value, Mapping):
            value = value.get("text")
        value = [value] if isinstance(value, str) else value
        if not isinstance(value, list | tuple):
            message = f"{self.at} holds {_shown(value)}, not a list"
            raise SourceError(message)
        return [self.text(one) if isinstance(one, str) else one for one in value]

    def number(self, value: object) -> float:
        try:
            return float(value)  # type: ignore[arg-type]
        except (TypeError, ValueError) as error:
            message = f"{self.at} holds {_shown(value)}, not a number"
            raise SourceError(message) from error

    def label(self, value: object) -> object:
        """A class by name or number; a number that is written as a text is one."""
        return int(value) if isinstance(value, str) and _WHOLE.fullmatch(value) else value


_CASTS: Mapping[str, Callable[[_Cell, object], object]] = {
    **dict.fromkeys(TEXTS, _Cell.text),
    **dict.fromkeys(LISTS, _Cell.listed),
    **dict.fromkeys(NUMBERS, _Cell.number),
    "label": _Cell.label,
}


def _shown(value: object) -> str:
    return json.dumps(value, default=repr)[:40]
