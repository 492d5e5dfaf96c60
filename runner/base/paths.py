"""Questions about paths that a person wrote: any text is answered, also one that no file system takes."""

from __future__ import annotations

import os
from pathlib import Path

LONGEST_NAME = 255
LONGEST_PATH = 4095
"""Bytes that Linux allows; others allow no more."""


def is_file(path: Path) -> bool:
    """Whether there is a regular file."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def is_folder(path: Path) -> bool:
    """Whether there is a folder."""
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False


def expanded(text: str) -> Path:
    """The path with `~` replaced by the home folder; as it is where there is no such user, or no home."""
    try:
        return Path(text).expanduser()
    except RuntimeError:
        return Path(text)


def refusal(path: Path) -> str | None:
    """Why no file can have this path, in words; None where one can."""
    try:
        raw = os.fsencode(path)
    except UnicodeEncodeError:
        return "holds a letter that no file's name can have"
    if b"\0" in raw:
        return "holds a letter that no file's name can have"
    if len(raw) > LONGEST_PATH:
        return f"{len(raw)} bytes are too long for a path"
    longest = max(map(len, raw.split(os.fsencode(os.sep))))
    if longest > LONGEST_NAME:
        return f"has a name of {longest} bytes, and {LONGEST_NAME} are the most"
    return "starts with the name of no user" if str(path).startswith("~") else None
