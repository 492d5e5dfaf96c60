"""Verify: every byte and every file of a version against its manifest, and the manifest against its own digest."""

from __future__ import annotations

import hashlib
import os
import stat as stat_module
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import runner.base.files as fs
from runner.artifact.record import found_in, shown
from runner.artifact.versions import MANIFEST, digest_of, is_number, manifest_text, parse_manifest, read_bytes
from runner.errors import SourceError

if TYPE_CHECKING:
    from runner.artifact.types import FileRecord, Manifest

_BLOCK = 1 << 20
_ODD_MODE = 0o7033
"""What no file of ours has: the right to run, or to be written by others."""

Read = Callable[[int], None]
"""Told how many bytes were read."""


@dataclass(frozen=True)
class Fault:
    """One thing that is not as it was published."""

    file: str
    what: str

    def __str__(self) -> str:
        return f"{self.file}: {self.what}" if self.file else self.what


@dataclass
class Examined:
    """A version's folder after it was read.

    Attributes:
        manifest: None where it can't be read.
        files: how many files are as they were published.
        size: bytes of these.
        notes: what is odd, and leaves the content as it was.
    """

    folder: Path
    manifest: Manifest | None = None
    faults: list[Fault] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    files: int = 0
    size: int = 0

    @property
    def whole(self) -> bool:
        """Whether nothing is missing, changed or added."""
        return not self.faults

    def fault(self, file: str, what: str) -> None:
        """Note a fault; a name that is not UTF-8 is shown as far as it is."""
        self.faults.append(Fault(shown(file), what))


def _nothing_read(count: int) -> None: ...


def _never(name: str) -> bool:
    return False


def examine(folder: Path, *, known: Callable[[str], bool] = _never, read: Read = _nothing_read) -> Examined:
    """Read a version's folder, wherever it lies, and hold it against its manifest.

    Args:
        folder: the version's.
        known: whether the bytes of a file, by its name, are known to be right without reading them.
        read: is told of bytes that were read.
    """
    found = Examined(folder)
    try:
        content = read_bytes(folder)
        found.manifest = parse_manifest(content, folder)
    except SourceError as error:
        found.fault(MANIFEST, error.message.removeprefix(f"{folder / MANIFEST} "))
        return found
    _examine_manifest(found, content, found.manifest)
    try:
        present = found_in(folder)
    except OSError as error:
        found.fault("", f"can't be read: {error.strerror}")
        return found
    files = found.manifest["files"]
    for name in sorted({*files, *present, MANIFEST}):
        try:
            _examine_file(found, name, files.get(name), present, known, read)
        except OSError as error:
            found.fault(name, f"can't be read: {error.strerror}")
    return found


def _examine_manifest(found: Examined, content: bytes, manifest: Manifest) -> None:
    if "digest" not in manifest:
        found.notes.append(f"{MANIFEST} has no digest of itself: it was made by an older ovrun")
    elif digest_of(manifest) != manifest["digest"]:
        found.fault(MANIFEST, "changed: it is not what its own digest says")
    if content != manifest_text(manifest).encode():
        found.fault(MANIFEST, "changed: it is not written as ovrun writes it")
    number = manifest["version"]
    if is_number(found.folder.name) and str(number) != found.folder.name:
        found.notes.append(f"its manifest says that it is {manifest['name']}/{number or 'rejected'}")


def _examine_file(
    found: Examined,
    name: str,
    said: FileRecord | None,
    present: Mapping[str, os.stat_result | None],
    known: Callable[[str], bool],
    read: Read,
) -> None:
    info = present.get(name)
    if name not in present:
        found.fault(name, "missing" if _is_inside(name) else "lies outside of the folder, which no file of ours does")
    elif said is None and name != MANIFEST:
        found.fault(name, "was not published with it")
    elif info is None:
        found.fault(name, f"is {fs.kind_of(found.folder / name)} and not a file")
    elif said is not None and info.st_size != said["size"]:
        found.fault(name, f"changed: it has {info.st_size} bytes instead of {said['size']}")
    elif said is not None and not known(name) and _sha256(found.folder / name, read) != said["sha256"]:
        found.fault(name, "changed: its SHA-256 is another than was published")
    else:
        found.files, found.size = found.files + 1, found.size + info.st_size
    if info is not None and info.st_mode & _ODD_MODE:
        found.notes.append(f"{name} has the mode {stat_module.S_IMODE(info.st_mode):04o}")


def _is_inside(name: str) -> bool:
    path = PurePosixPath(name)
    return not path.is_absolute() and ".." not in path.parts


def _sha256(path: Path, read: Read) -> str:
    """The SHA-256 of a regular file, which is not followed if it has become a link meanwhile."""
    digest = hashlib.sha256()
    with fs.open_regular(path, follow=False) as stream:
        while block := stream.read(_BLOCK):
            digest.update(block)
            read(len(block))
    return digest.hexdigest()
