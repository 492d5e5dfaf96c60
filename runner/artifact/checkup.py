"""What `ovrun verify` looks at: which folders, read one after the other, and the marks of damaged ones kept true."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from runner.artifact import record
from runner.artifact.named import homes, named
from runner.artifact.verify import Examined, Read, examine
from runner.artifact.versions import MANIFEST, REJECTED, is_number
from runner.errors import Problem, StageError, UsageError
from runner.store import Store


def folders(words: Sequence[str], outputs: Path, *, every: bool) -> list[Path]:
    """The folders that words name, and with `every` all versions and all models that were put aside.

    Raises:
        UsageError: some words name nothing; all of them are told.
    """
    found: list[Path] = []
    problems: list[Problem] = []
    for word in words:
        try:
            found.append(named(word, outputs))
        except UsageError as error:
            problems += error.problems
    if problems:
        raise UsageError(problems, hint="`ovrun list` shows what there is.")
    return list(dict.fromkeys([*found, *(_all(outputs) if every else ())]))


def _all(outputs: Path) -> Iterator[Path]:
    for home in homes(outputs):
        yield from record.folders(home, record.load(home)).values()
        yield from sorted(path.parent for path in home.glob(f"{REJECTED}/[!.]*/{MANIFEST}"))


def examine_all(found: Iterable[Path], outputs: Path, read: Read) -> Iterator[Examined]:
    """Read each folder; what is found of a version in its place is marked there, and a mark that is untrue goes."""
    for folder in found:
        examined = examine(folder, read=read)
        if is_number(folder.name) and (folder.parent / record.NAME).is_file():
            with contextlib.suppress(OSError, StageError):  # a mark is a help; outputs may be read-only
                _mark(examined, outputs)
        yield examined


def _mark(examined: Examined, outputs: Path) -> None:
    home, number = examined.folder.parent, int(examined.folder.name)
    wrong = tuple(map(str, examined.faults))[: record.MOST]
    if record.load(home).of(number).damaged == wrong and wrong:
        return
    store = Store(outputs / ".store")
    with store.locked(f"publish-{home.name}") if store.root.is_dir() else contextlib.nullcontext():
        kept = record.load(home)
        before = kept.of(number)
        if wrong or examined.manifest is None:
            after = record.Version(before.identity, before.files, before.seen, wrong)
        else:
            after = record.see(examined.folder, examined.manifest)
        kept.versions[number] = after
        record.save(home, kept)


def described(examined: Examined) -> dict[str, object]:
    """What was found, as plain data."""
    return {
        "path": str(examined.folder),
        "status": "whole" if examined.whole else "damaged",
        "files": examined.files,
        "size": examined.size,
        "faults": [{"file": fault.file, "what": fault.what} for fault in examined.faults],
        "notes": examined.notes,
    }
