"""The names of a model's classes, as its config.json has them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import runner.base.files as fs

_DEFAULT = ("LABEL_0", "LABEL_1")


def class_names(folder: Path) -> tuple[str, ...]:
    """In the order of their numbers; none where the model names none, or leaves out a number.

    Transformers writes no names of a classifier that has its two default ones.
    """
    config = fs.read_object(folder / "config.json")
    named = config.get("id2label")
    if not isinstance(named, Mapping):
        return _DEFAULT if "Classification" in str(config.get("architectures")) else ()
    found = [named.get(str(number)) for number in range(len(named))]
    return tuple(str(name) for name in found) if None not in found else ()
