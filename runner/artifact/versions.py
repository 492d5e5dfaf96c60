"""The versions below `outputs/<recipe>`: which folders are some, and what their manifests say."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import runner.base.files as fs
from runner.artifact import shape
from runner.errors import SourceError

if TYPE_CHECKING:
    from runner.artifact.types import Manifest

MANIFEST = "manifest.json"
LATEST = "latest"
REJECTED = "rejected"

_NUMBER = re.compile(r"[1-9][0-9]{0,8}")
_LIMIT = 16 << 20
"""Bytes of a manifest: one with thousands of recorded mismatches has some MB."""


def is_number(name: str) -> bool:
    """Whether a name is the number of a version, as OpenVINO Model Server reads it."""
    return _NUMBER.fullmatch(name) is not None


def versions(home: Path) -> Iterator[tuple[int, Path]]:
    """The versions in `outputs/<recipe>`, in order.

    A folder without a manifest, and a link, are somebody else's, whatever they are named.
    """
    for number in sorted(int(name) for name in _names(home) if is_number(name)):
        folder = home / str(number)
        if folder.is_dir() and not folder.is_symlink() and os.path.lexists(folder / MANIFEST):
            yield number, folder


def _names(home: Path) -> list[str]:
    try:
        return [path.name for path in home.iterdir()]
    except (OSError, ValueError):  # not there, no folder, or a name that no folder can have
        return []


def read_manifest(folder: Path) -> Manifest | None:
    """The manifest in a version's folder, or None where it can't be read."""
    try:
        return load_manifest(folder)
    except SourceError:
        return None


def load_manifest(folder: Path) -> Manifest:
    """The manifest in a version's folder.

    Raises:
        SourceError: there is none, it can't be read, or it has another shape than schemas/manifest.schema.json says.
    """
    return parse_manifest(read_bytes(folder), folder)


def read_bytes(folder: Path) -> bytes:
    """The content of a version's manifest.

    Raises:
        SourceError: there is none, or it can't be read.
    """
    path = folder / MANIFEST
    try:
        return fs.read_limited(path, _LIMIT)
    except FileNotFoundError as error:
        message = f"{folder} holds no {MANIFEST}"
        raise SourceError(message) from error
    except OSError as error:
        message = f"{path} can't be read: {error.strerror}"
        raise SourceError(message) from error


def parse_manifest(content: bytes, folder: Path) -> Manifest:
    """The manifest that `content` is.

    Raises:
        SourceError: it is none.
    """
    try:
        manifest: Manifest = shape.parse(content, "manifest")
    except shape.ShapeError as error:
        message = f"{folder / MANIFEST} is not a manifest that this version of ovrun reads: {error}"
        raise SourceError(message, hint="`ovrun verify` says what else is wrong there.") from error
    return manifest


def manifest_text(manifest: Manifest) -> str:
    """The text of manifest.json: one for one content, so that every byte of it can be checked.

    Raises:
        ValueError: a number is not finite.
    """
    return json.dumps(manifest, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def digest_of(manifest: Manifest) -> str:
    """The digest that a manifest has of itself: SHA-256 of its canonical JSON without the key `digest`."""
    return fs.sha256_json({key: value for key, value in manifest.items() if key != "digest"})
