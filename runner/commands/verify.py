"""`ovrun verify`: every byte of versions and of the store against what was published."""

from __future__ import annotations

import contextlib
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from runner.base.figures import megabytes
from runner.base.words import plural
from runner.commands import options
from runner.errors import Problem, SourceError, UsageError
from runner.report.output import Output

_LONG = 256 << 20


def arguments(parser: ArgumentParser) -> None:
    """Versions, or all there is."""
    what = "a recipe's latest version, its version N, or a version's folder that lies anywhere"
    parser.add_argument("words", nargs="*", metavar="NAME[/N]|FOLDER", help=what)
    parser.add_argument("--all", action="store_true", help="every version, and every model that missed a gate")
    parser.add_argument("--store", action="store_true", help="every entry of the store")
    options.outputs(parser)
    options.quiet(parser, "only what is damaged")
    options.json(parser)


def run(arguments: Namespace, output: Output) -> int:
    """Read all that is named; the exit code says whether it is whole."""
    from runner.artifact.checkup import described, examine_all, folders

    if not (arguments.words or arguments.all or arguments.store):
        raise UsageError([Problem("command line", "", "nothing is named", "name a version, or say --all or --store")])
    found = folders(arguments.words, arguments.outputs, every=arguments.all)
    with _reading(output) as read:
        versions = [described(one) for one in examine_all(found, arguments.outputs, read)]
        entries = _entries(arguments) if arguments.store else {}
    damaged = {key: faults for key, faults in entries.items() if faults}
    bad = [version for version in versions if version["status"] == "damaged"]
    document: dict[str, object] = {"status": "damaged" if bad or damaged else "whole", "versions": versions}
    if arguments.store:
        document["store"] = {"entries": len(entries), "damaged": damaged}
    quiet = [line for version in bad for line in _lines(version)] + _store_lines(damaged)
    output.answer(document, _text(versions, entries if arguments.store else None), quiet)
    return SourceError.exit_code if bad or damaged else 0


def _entries(arguments: Namespace) -> dict[str, list[str]]:
    from runner.store import Store

    return dict(Store(arguments.outputs / ".store").verify_all())


def _text(versions: Sequence[Mapping[str, object]], entries: Mapping[str, Sequence[str]] | None) -> Iterator[str]:
    for version in versions:
        yield from _lines(version)
    if entries is not None:
        damaged = {key: faults for key, faults in entries.items() if faults}
        whole = len(entries) - len(damaged)
        yield f"store  {whole} of {len(entries)} entries whole"
        yield from _store_lines(damaged)


def _lines(version: Mapping[str, Any]) -> Iterator[str]:
    size = f"{plural(version['files'], 'file')}, {megabytes(version['size'])}"
    yield f"{version['path']}  {version['status']}" + (f"  {size}" if version["status"] == "whole" else "")
    yield from (f"  {fault['file']}: {fault['what']}" for fault in version["faults"])
    yield from (f"  note: {note}" for note in version["notes"])


def _store_lines(damaged: Mapping[str, Sequence[str]]) -> list[str]:
    return [f"  entry {key}: {fault}" for key, faults in damaged.items() for fault in faults]


@contextlib.contextmanager
def _reading(output: Output) -> Iterator[Callable[[int], None]]:
    """Something that is told of bytes read, and says so where that takes long."""
    total = shown = 0

    def read(count: int) -> None:
        nonlocal total, shown
        total += count
        if total - shown >= _LONG:
            shown = total
            output.passing(f"read {megabytes(total)} …")

    yield read
    output.passing("")
