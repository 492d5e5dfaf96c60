"""What an entry says of itself: entry.json with its own digest, and the files beside it held against that."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import runner.base.files as fs
from runner.base.owned import parents_of

FORMAT = 2
"""Goes up when the content of entry.json changes: entries of another format are made anew."""

_SHA256 = re.compile(r"[0-9a-f]{64}")
_SHAPE: Mapping[str, type | tuple[type, ...]] = {
    "stage": str,
    "label": str,
    "document": dict,
    "result": dict,
    "import_seconds": (int, float),
    "seconds": (int, float),
    "cpu_seconds": (int, float),
    "peak_memory": int,
    "created": str,
    "hardware": dict,
    "files": dict,
}


@dataclass(frozen=True)
class Entry:
    """A finished stage: its key, the folder of its files, and its record.

    `record` has: stage, label, document (what the key was made from), result, seconds, import_seconds, cpu_seconds,
    peak_memory (bytes), files ({path: {sha256, size}}), created (ISO 8601, UTC), hardware, and `self`, the digest of
    all that.
    """

    key: str
    files: Path
    record: Mapping[str, Any]

    @property
    def result(self) -> Mapping[str, Any]:
        """What the stage told of its work."""
        result: Mapping[str, object] = self.record["result"]
        return result


def sealed(record: Mapping[str, object], key: str, files: Mapping[str, object]) -> dict[str, object]:
    """A record as entry.json holds it, with its own digest under `self`.

    Raises:
        ValueError: it is not plain data: a number is none, or a text can't be encoded.
    """
    plain: dict[str, object] = json.loads(json.dumps({**record, "format": FORMAT, "key": key, "files": files}))
    return {**plain, "self": _seal(plain)}


def _seal(plain: Mapping[str, object]) -> str:
    text = json.dumps(plain, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def fault_of(record: object, key: str) -> str | None:
    """What is wrong with the content of an entry.json; None if it is what was written."""
    if not isinstance(record, dict):
        return "is not a record"
    if record.get("format") != FORMAT:
        return f"is of another format than {FORMAT}"
    try:
        seal = _seal({name: value for name, value in record.items() if name != "self"})
    except (ValueError, RecursionError):
        return "is not plain data"
    if record.get("self") != seal:
        return "was changed: its own digest does not fit"
    if record.get("key") != key:
        return "is that of another key"
    wrong = [name for name, kind in _SHAPE.items() if not _fits(record.get(name), kind)]
    if wrong:
        return f"has no usable {wrong[0]}"
    return None if all(_is_file(*item) for item in record["files"].items()) else "lists files in a wrong form"


def _fits(value: object, kind: type | tuple[type, ...]) -> bool:
    if not isinstance(value, kind) or isinstance(value, bool):
        return False
    return not isinstance(value, int | float) or 0 <= value < 1 << 60


def _is_file(name: str, told: object) -> bool:
    """Whether a file's name stays in its folder, and its size and digest are such."""
    if not isinstance(told, dict) or any(part in ("", ".", "..") for part in name.split("/")) or "\0" in name:
        return False
    size, digest = told.get("size"), told.get("sha256")
    right = isinstance(size, int) and not isinstance(size, bool) and 0 <= size < 1 << 63
    return right and isinstance(digest, str) and _SHA256.fullmatch(digest) is not None


def misfits(tree: fs.Tree, listing: Mapping[str, Any]) -> Iterator[str]:
    """How what lies in an entry's folder differs from its record, as far as names, kinds and sizes tell."""
    for name, kind in sorted(tree.others.items()):
        yield f"{name} is {kind}"
    for name in sorted(listing.keys() - tree.files.keys() - tree.others.keys()):
        yield f"{name} is a folder" if name in tree.folders else f"{name} is gone"
    for name in sorted(tree.files.keys() - listing.keys()):
        yield f"{name} does not belong there"
    for name in sorted(tree.folders - parents_of(listing) - listing.keys()):
        yield f"the folder {name} does not belong there"
    for name in sorted(listing.keys() & tree.files.keys()):
        size, told = tree.files[name].st_size, listing[name]["size"]
        if size != told:
            yield f"{name} has {size} bytes instead of {told}"
