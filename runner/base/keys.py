"""The key of a stage: SHA-256 over its document, which says the same thing in one way only."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache

import runner.base.files as fs
from runner.base import distributions

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
    stated = _VERSION.search(distributions.head(distribution) or "")
    return stated[1] if stated else _as_python_knows_it(distribution)


def _as_python_knows_it(distribution: str) -> str:
    """The version of what pip did not install into a folder of its own."""
    from importlib import metadata

    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return "absent"
