"""The folder of a version that a word of the command line names."""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path

from runner.artifact import record
from runner.artifact.latest import followed, latest_number, leads_to
from runner.artifact.versions import LATEST, MANIFEST, REJECTED, is_number
from runner.base.trouble import cannot_read
from runner.base.words import near
from runner.errors import Problem, UsageError


def named(word: str, outputs: Path, *, paths: bool = True) -> Path:
    """The folder of `NAME` (its newest version), `NAME/N`, `NAME/latest`, `NAME/rejected/ID` or, with `paths`, a path.

    Raises:
        UsageError: there is none.
    """
    name, _, wanted = word.strip("/").partition("/")
    home = outputs / name
    found = record.folders(home, record.load(home)) if name not in ("", ".", "..") else {}
    inside = _inside(home, wanted, found)
    if inside is not None:
        return inside
    path = followed(Path(word).parent if Path(word).name == MANIFEST else Path(word))
    if paths and (os.path.lexists(path / MANIFEST) or ("/" in word and os.path.isdir(path))):  # noqa: PTH112
        return path
    raise _unknown(word, name, wanted, found, outputs)


def _inside(home: Path, wanted: str, found: dict[int, Path]) -> Path | None:
    if not wanted:
        return found[max(found)] if found else None
    number = latest_number(home) if wanted == LATEST else int(wanted) if is_number(wanted) else None
    if number in found:
        return found[number]
    room, _, ident = wanted.partition("/")
    aside = home / REJECTED / ident
    return aside if room == REJECTED and ident not in ("", "..") and "/" not in ident and os.path.isdir(aside) else None  # noqa: PTH112


def _unknown(word: str, name: str, wanted: str, found: Collection[int], outputs: Path) -> UsageError:
    place = outputs / name / LATEST
    if wanted == LATEST and os.path.lexists(place):
        target = leads_to(place)
        leads = "is no link to a version" if target is None else f"leads to {target}, where no version is"
        return UsageError([Problem("command line", "", f"{place} {leads}", _there_are(name, found))])
    if found:
        return UsageError([Problem("command line", "", f"there is no version {word}", _there_are(name, found))])
    what = f"{outputs}/ holds no published version of {name}"
    problem = Problem("command line", "", what, None, near(name, published(outputs)))
    return UsageError([problem], hint=f"Make one with `ovrun optimize {name}`; `ovrun list` shows what there is.")


def _there_are(name: str, found: Collection[int]) -> str | None:
    return f"{name} has versions {', '.join(map(str, found))}" if found else None


def published(outputs: Path) -> list[str]:
    """The names in an outputs folder that have versions."""
    return [home.name for home in homes(outputs) if record.folders(home, record.load(home))]


def homes(outputs: Path) -> list[Path]:
    """The folders of recipes in an outputs folder, by name.

    Raises:
        StageError: it can't be read.
    """
    try:
        found = [path for path in outputs.iterdir() if not path.name.startswith(".") and path.is_dir()]
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise cannot_read(outputs, error) from error
    return sorted(found, key=lambda path: path.name)
