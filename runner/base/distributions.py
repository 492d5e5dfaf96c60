"""What installed packages declare under a group of entry points, read without `importlib.metadata`'s slow parsers."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_SECTION = re.compile(r"^\[(?P<group>[^\]\n]+)\]\s*$(?P<lines>[^\[]*)", re.MULTILINE)
_LINE = re.compile(r"^(?P<name>[^=#;\n]+?)\s*=\s*(?P<value>[\w.]+(?::[\w.]+)?)", re.MULTILINE)


@dataclass(frozen=True)
class EntryPoint:
    """One line of a package's entry points.

    Attributes:
        group: such as `ovrun.metrics`.
        value: `package.module` or `package.module:object`.
        distribution: the package's name, as pip knows it.
    """

    group: str
    name: str
    value: str
    distribution: str


@cache
def entry_points(prefix: str) -> tuple[EntryPoint, ...]:
    """All entry points whose group begins with `prefix`; of a package that is there twice, the first on the path."""
    found: dict[str, tuple[EntryPoint, ...]] = {}
    for path in _files():
        name = path.parent.name.split("-")[0]
        if name not in found:
            found[name] = tuple(_read(path, name.replace("_", "-"), prefix))
    return tuple(point for points in found.values() for point in points)


def _files() -> Iterator[Path]:
    for folder in sys.path:
        root = Path(folder or ".")
        try:
            names = sorted(path.name for path in root.iterdir() if path.name.endswith(".dist-info"))
        except OSError:
            continue
        yield from (root / name / "entry_points.txt" for name in names)


def _read(path: Path, distribution: str, prefix: str) -> Iterator[EntryPoint]:
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return
    if f"[{prefix}" not in text:
        return
    for section in _SECTION.finditer(text):
        if section["group"].startswith(prefix):
            for line in _LINE.finditer(section["lines"]):
                yield EntryPoint(section["group"], line["name"], line["value"], distribution)
