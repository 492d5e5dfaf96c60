"""What installed packages tell of themselves, read without `importlib.metadata`, whose parsers are slow."""

from __future__ import annotations

import contextlib
import os
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
    return tuple(
        point for folder in _installed().values() for point in _read(folder / "entry_points.txt", _name(folder), prefix)
    )


def _name(folder: Path) -> str:
    return folder.name.split("-")[0].replace("_", "-")


def head(distribution: str) -> str | None:
    """The head of an installed distribution's METADATA, without its description; None where pip left none."""
    folder = _installed().get(_normal(distribution))
    if folder is None:
        return None
    try:
        return (folder / "METADATA").read_text(encoding="utf-8", errors="replace").partition("\n\n")[0]
    except OSError:
        return None


@cache
def owner(module: str) -> str | None:
    """The distribution that a module at the top belongs to; None where pip installed none that has it."""
    folders = _installed()
    own = folders.get(_normal(module))
    there = [*([own] if own else []), *(folder for folder in folders.values() if folder != own)]
    return next((_name(folder) for folder in there if _holds(folder, module)), None)


def _holds(folder: Path, module: str) -> bool:
    """Whether what pip noted of a package names a module's folder or file."""
    try:
        record = (folder / "RECORD").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return re.search(rf"^{re.escape(module)}(/|\.[^/\n]*,)", record, re.MULTILINE) is not None


@cache
def _installed() -> dict[str, Path]:
    """Name as pip compares it -> folder of its metadata; of a package that is there twice, the first on the path."""
    found: dict[str, Path] = {}
    for folder in sys.path:
        with contextlib.suppress(OSError):
            for name in sorted(name for name in os.listdir(folder or ".") if name.endswith(".dist-info")):  # noqa: PTH208
                found.setdefault(_normal(name.split("-")[0]), Path(folder or ".", name))
    return found


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


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
