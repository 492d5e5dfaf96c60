"""`latest`: which version of a recipe is the newest. A symbolic link to it, or a file with its number.

The file is for systems without symbolic links. Both are read everywhere, so an outputs folder can be moved.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path

import runner.base.files as fs
from runner.artifact.versions import LATEST, is_number
from runner.base import links
from runner.errors import StageError

_LIMIT = 16
"""Bytes of such a file: a number and the end of a line."""


def latest_number(home: Path) -> int | None:
    """The number that `latest` leads to; None where there is no `latest`, or it is not one of ours."""
    target = leads_to(home / LATEST)
    return int(target) if target is not None and is_number(target) else None


def leads_to(place: Path) -> str | None:
    """What a link leads to, or the one line that a small file holds; None for anything else."""
    try:
        if place.is_symlink():
            return str(place.readlink())
        content = fs.read_limited(place, _LIMIT, follow=False).decode("ascii")
    except (OSError, ValueError):
        return None
    line, end, rest = content.replace("\r\n", "\n").partition("\n")
    return line if end and not rest and line.isprintable() else None


def leads_to_version(home: Path) -> bool:
    """Whether `latest` leads to something that is there."""
    number = latest_number(home)
    return number is not None and (home / str(number)).exists()


def followed(path: Path) -> Path:
    """A path, with a `latest` at its end that is a file replaced by the version that it names."""
    number = latest_number(path.parent) if path.name == LATEST and not path.is_symlink() else None
    return path if number is None else path.parent / str(number)


def point(home: Path, number: int) -> None:
    """Let `latest` lead to a version, at once.

    Raises:
        OSError: it can't be written.
    """
    new = home / f".latest-{secrets.token_hex(4)}"
    try:
        if links.symlink(new, str(number)):
            os.replace(new, home / LATEST)  # noqa: PTH105
        else:
            fs.write_text(home / LATEST, f"{number}\n")
    except BaseException:
        new.unlink(missing_ok=True)
        raise


def refuse_foreign(home: Path) -> None:
    """Refuse a `latest` that ovrun did not make.

    Raises:
        StageError: with what it is.
    """
    place = home / LATEST
    if os.path.lexists(place) and latest_number(home) is None:
        what = "that link" if place.is_symlink() else "it"
        message = f"{place} {_wrong(place)}"
        raise StageError(message, hint=f"ovrun did not make {what}. Move it away, and run again.")


def _wrong(place: Path) -> str:
    """What is wrong with a `latest`, in words that follow its path."""
    if place.is_symlink():
        return f"leads to {place.readlink()}, and not to a version beside it"
    return f"is {fs.kind_of(place)}, where the link to the newest version, or a file with its number, has to be"
