"""The key of a stage: SHA-256 over its document, which says the same thing in one way only."""

from __future__ import annotations

import importlib.metadata
import re
from collections.abc import Mapping
from functools import cache

import runner.base.files as fs

_EXACT = 2.0**53
_VERSION = re.compile(r"^Version: *(\S+)", re.MULTILINE)


def document(**parts: object) -> dict[str, object]:
    """What a key is made from, in its one form."""
    return {name: canonical(part) for name, part in parts.items()}


def digest(document: Mapping[str, object]) -> str:
    """The key of a document, as 64 hex digits."""
    return fs.sha256_json(canonical(document))


def canonical(value: object) -> object:
    """Plain data in which equal values look alike: a whole number is an integer, and a sequence a list."""
    if isinstance(value, Mapping):
        return {str(key): canonical(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [canonical(item) for item in value]
    if isinstance(value, float) and value.is_integer() and abs(value) < _EXACT:
        return int(value)
    return value


@cache
def version_of(distribution: str) -> str:
    """The installed version of a distribution, or `absent`.

    Only the header is looked at: a parser of mail, which metadata are, takes 15 ms to import and as long to read them.
    """
    try:
        text = importlib.metadata.distribution(distribution).read_text("METADATA") or ""
    except importlib.metadata.PackageNotFoundError:
        return "absent"
    stated = _VERSION.search(text)
    return stated[1] if stated else importlib.metadata.version(distribution)
