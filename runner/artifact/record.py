"""What is known of a recipe's versions beside them: `outputs/<recipe>/.published.json`.

A version's own folder never changes; so the highest number that was ever used, the size and times of each file as it
was published, and the mark of a version that was found damaged stand beside it. All of it may be lost: the number is
kept in the store too, and without the rest every byte is read again.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import runner.base.files as fs
from runner.artifact.versions import MANIFEST, is_number, versions
from runner.base.owned import parents_of

if TYPE_CHECKING:
    from runner.artifact.types import Manifest

NAME = ".published.json"
MOST = 20
"""Faults of a version that are kept."""


@dataclass
class Version:
    """What is known of one version.

    Attributes:
        identity: of the artifact; empty if it is not known.
        files: name -> size, modification, change, inode as they were seen when the bytes were right.
        seen: when that was, in ns.
        damaged: what was found wrong with it; empty for a whole one.
    """

    identity: str = ""
    files: dict[str, fs.Stat] = field(default_factory=dict)
    seen: int = 0
    damaged: tuple[str, ...] = ()

    def unchanged(self, name: str, path: Path) -> bool:
        """Whether a file is, by all that can be known without reading, the one whose bytes were right."""
        known = self.files.get(name)
        if known is None or not fs.settled(known, self.seen):
            return False
        try:
            return fs.stat_of(path) == known
        except OSError:
            return False


@dataclass
class Record:
    """The record of a recipe; an empty one where there is none, or none that can be read."""

    last: int = 0
    versions: dict[int, Version] = field(default_factory=dict)

    def of(self, number: int) -> Version:
        """What is known of a version."""
        return self.versions.get(number) or Version()


def load(home: Path) -> Record:
    """The record in `outputs/<recipe>`; what is not as it should be in it counts as lost."""
    document = fs.recall(home / NAME)
    found = _object(document.get("versions"))
    return Record(number_in(document.get("last")), {int(n): _version(one) for n, one in found.items() if is_number(n)})


def _object(value: object) -> dict[str, object]:
    return value if isinstance(value, dict) else {}


def number_in(value: object) -> int:
    """A version's number that a file holds; 0 where it holds something else."""
    return value if isinstance(value, int) and is_number(str(value)) else 0


def _count(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 < value < 1 << 63 else 0


def _version(data: object) -> Version:
    data = _object(data)
    files = {name: stat for name, row in _object(data.get("files")).items() if (stat := _stat(row))}
    damaged = data.get("damaged")
    texts = tuple(str(text) for text in damaged) if isinstance(damaged, list) else ()
    return Version(str(data.get("identity", "")), files, _count(data.get("seen")), texts)


def _stat(row: object) -> fs.Stat | None:
    if isinstance(row, list) and len(row) == 4 and all(isinstance(number, int) for number in row):
        return row[0], row[1], row[2], row[3]
    return None


def save(home: Path, record: Record) -> None:
    """Write the record, at once. Call with the recipe's lock held.

    Raises:
        OSError: it can't be written.
    """
    rows = {str(number): _row(version) for number, version in sorted(record.versions.items())}
    fs.write_text(home / NAME, json.dumps({"last": record.last, "versions": rows}) + "\n")


def _row(version: Version) -> dict[str, object]:
    files = {name: list(stat) for name, stat in version.files.items()}
    row = {"identity": version.identity, "seen": version.seen, "files": files}
    return row | ({"damaged": list(version.damaged[:MOST])} if version.damaged else {})


def see(folder: Path, manifest: Manifest) -> Version:
    """What is to be remembered of a version whose bytes are right."""
    now = time.time_ns()
    files = {name: fs.stat_of(folder / name) for name in (*manifest["files"], MANIFEST)}
    return Version(manifest["identity"], files, now)


def folders(home: Path, record: Record) -> dict[int, Path]:
    """The versions in `outputs/<recipe>`, and those that have lost their manifest."""
    lost = {number: home / str(number) for number in record.versions}
    kept = {number: folder for number, folder in lost.items() if folder.is_dir() and not folder.is_symlink()}
    return dict(sorted({**kept, **dict(versions(home))}.items()))


def changed(folder: Path, files: Mapping[str, Any], known: Version) -> list[str]:
    """The files of a version that are visibly not as they were published, by their names, sizes and times alone.

    Args:
        folder: the version's.
        files: name -> size and SHA-256, as its manifest has them.
        known: what the record says of it.
    """
    present = found_in(folder)
    wrong = [name for name in files if not _as_published(present.get(name), files[name]["size"], known.files.get(name))]
    wrong += [MANIFEST] if not _as_published(present.get(MANIFEST), None, known.files.get(MANIFEST)) else []
    return sorted(map(shown, {*wrong, *(present.keys() - {*files, MANIFEST})}))


def shown(name: str) -> str:
    """A file's name as text that can be written anywhere: bytes that are not UTF-8 are replaced."""
    return os.fsencode(name).decode(errors="replace")


def _as_published(present: os.stat_result | None, size: int | None, known: fs.Stat | None) -> bool:
    if present is None or (size is not None and present.st_size != size):
        return False
    return known is None or (present.st_size, present.st_mtime_ns) == (known[0], known[1])


def found_in(folder: Path) -> dict[str, os.stat_result | None]:
    """All that lies in a folder but for folders with files in them; None for what is no file."""
    tree = fs.scan(folder)
    others = {*tree.others, *(tree.folders - parents_of(tree.files))}
    return {**dict.fromkeys(others), **tree.files}


def words(wrong: Iterable[str]) -> str:
    """`openvino_model.bin`, or the first three of many."""
    names = list(wrong)
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def state(folder: Path, known: Version, manifest: Manifest | None = None) -> str | None:
    """What a list says of a version that is not as it was published; None for one that is, as far as is visible."""
    if known.damaged:
        return f"damaged: {words(known.damaged)}"
    files = manifest["files"] if manifest else {name: {"size": stat[0]} for name, stat in known.files.items()}
    if not files:
        return None
    try:
        wrong = changed(folder, {name: said for name, said in files.items() if name != MANIFEST}, known)
    except OSError as error:
        return f"can't be read: {error.strerror}"
    return f"changed since publishing: {words(wrong)}" if wrong else None
