"""`ovrun gc`: what of a store nothing needs any more goes."""

from __future__ import annotations

import re
import time
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Iterator
from typing import TYPE_CHECKING

from runner.base.figures import megabytes
from runner.base.words import plural
from runner.commands import options
from runner.report.output import Output

if TYPE_CHECKING:
    from runner.store.collect import Collection, Item

USAGE = "ovrun gc [options]"
_HOURS = {"h": 1, "d": 24, "w": 7 * 24}
_BYTES = {"kB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40}
_DURATION = re.compile(r"([0-9]{1,6}(?:\.[0-9]{1,3})?)([hdw])")
_SIZE = re.compile(rf"([0-9]{{1,9}}(?:\.[0-9]{{1,3}})?)({'|'.join(_BYTES)})")


def arguments(parser: ArgumentParser) -> None:
    """What may go, and where."""
    parser.description = (
        "Remove from the store what nothing needs. What stays: every stage of a published version, of the last run of "
        "each recipe, and of runs that are under way. Versions themselves are never touched. It is safe while others "
        "run, and what it removes would be made again if it were needed. Without options all goes that nothing needs."
    )
    parser.add_argument("--dry-run", action="store_true", help="show what would go, and remove nothing")
    parser.add_argument(
        "--keep-last",
        type=_number,
        default=1,
        metavar="N",
        help="keep what the last N runs of each recipe were made of that differed (default: 1)",
    )
    parser.add_argument(
        "--older-than",
        type=_duration,
        metavar="TIME",
        help="of what nothing needs, remove only what was not used for so long: 12h, 30d, 4w; also logs of that age",
    )
    parser.add_argument(
        "--max-size",
        type=_size,
        metavar="SIZE",
        help="of what nothing needs, remove the longest unused first, until the store has no more than 500MB, 50GB …",
    )
    options.outputs(parser)
    options.quiet(parser, "only how many bytes are freed")
    options.json(parser)


def _number(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= 9):
        message = f"{text} is not a whole number of at least 0"
        raise ArgumentTypeError(message)
    return int(text)


def _duration(text: str) -> float:
    """Seconds."""
    found = _DURATION.fullmatch(text)
    if not found:
        message = f"{text} is not a time; it is a number of hours, days or weeks, such as 12h, 30d or 4w"
        raise ArgumentTypeError(message)
    return float(found[1]) * _HOURS[found[2]] * 3600


def _size(text: str) -> int:
    """Bytes."""
    found = _SIZE.fullmatch(text)
    if not found:
        message = f"{text} is not a size; it is a number with {', '.join(_BYTES)}, such as 500MB or 50GB"
        raise ArgumentTypeError(message)
    return int(float(found[1]) * _BYTES[found[2]])


def run(arguments: Namespace, output: Output) -> int:
    """Find what may go, remove it, and say what went."""
    from runner.store import store_of
    from runner.store.collect import Rules, collect, remove

    store = store_of(arguments.outputs)
    rules = Rules(arguments.keep_last, arguments.older_than, arguments.max_size)
    collection = collect(store, arguments.outputs, rules)
    gone: list[Item] = []
    if arguments.dry_run:
        gone.extend(collection.items)
    else:
        remove(store, collection, gone.append)
    for path in collection.needs.unreadable:
        output.warn(f"warning: {path} does not say what its version was made of; nothing was kept for it")
    freed = sum(item.size for item in gone)
    output.answer(_document(collection, gone, arguments), _lines(collection, gone, arguments), [str(freed)])
    return 0


def _document(collection: Collection, gone: list[Item], arguments: Namespace) -> dict[str, object]:
    return {
        "status": "dry run" if arguments.dry_run else "done",
        "freed": sum(item.size for item in gone),
        "removed": [
            {
                "kind": item.kind,
                "label": item.label,
                "recipe": item.recipe or None,
                "key": item.key or None,
                "used": _when(item.used),
                "size": item.size,
                "why": item.why,
                "path": str(item.path),
            }
            for item in gone
        ],
        "kept": {"stages": collection.stages, "size": collection.size},
    }


def _lines(collection: Collection, gone: list[Item], arguments: Namespace) -> Iterator[str]:
    rows = [_row(item) for item in gone if item.kind != "lock"]  # of locks there may be thousands, of no bytes
    if rows:
        yield from _table([("what", "recipe", "last used", "frees", "why"), *rows])
        yield ""
    locks = len(gone) - len(rows)
    also = f", and {plural(locks, 'lock')} of stages that are gone" if locks else ""
    done = "would free" if arguments.dry_run else "freed"
    yield f"{done} {megabytes(sum(item.size for item in gone))}: {plural(len(rows), 'thing')} that nothing needs{also}"
    yield f"{plural(collection.stages, 'stage')} of {megabytes(collection.size)} in the store stay"
    if arguments.max_size is not None and collection.size > arguments.max_size:
        yield "that is more than --max-size: versions, recent runs (--keep-last) and runs under way need them"


def _row(item: Item) -> tuple[str, ...]:
    return item.label, item.recipe or "-", _when(item.used)[:10], megabytes(item.size), item.why


def _table(rows: list[tuple[str, ...]]) -> Iterator[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    for label, recipe, used, size, why in rows:
        yield f"{label:<{widths[0]}}  {recipe:<{widths[1]}}  {used:<{widths[2]}}  {size:>{widths[3]}}  {why}"


def _when(used: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(used))
