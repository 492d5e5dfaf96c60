"""`ovrun report`: collect the rows, choose, sort, and write them in the form that is asked for."""

from __future__ import annotations

import secrets
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from runner.errors import StageError
from runner.report.columns import Table
from runner.report.console import shown
from runner.report.page import as_html
from runner.report.rows import Row, choose, collect
from runner.report.table import as_csv, as_json, as_text

PAGE = "report.html"


def make_report(
    words: Sequence[str], outputs: Path, *, form: str, target: Path | None, sort: str | None, reverse: bool
) -> None:
    """Print or write a report of what `words` name.

    Args:
        words: recipes, sweeps, points, versions or patterns; none of them means all.
        outputs: the folder of the artifacts.
        form: `text`, `csv`, `json` or `html`.
        target: the file to write, instead of standard output and of `report.html` in `outputs`.
        sort: a column; without one, sweeps come in the order of their points, and the rest by name.
        reverse: from worst to best.

    Raises:
        UsageError: a word names nothing, or there is no such column.
        StageError: the file can't be written.
    """
    found = collect(outputs)
    for note in found.notes:
        print(f"warning: {note}", file=sys.stderr)
    table = Table(choose(found.rows, words, outputs))
    rows = table.sorted(table.find(sort), reverse=reverse) if sort else list(table.rows)[:: -1 if reverse else 1]
    if form == "text" and not rows:
        print(f"{outputs}/ holds no version and no sweep yet; `ovrun optimize NAME` makes one")
    elif form == "text":
        _text(table, rows, found.notes, outputs, target)
    elif form == "html":
        print(_page(table, rows, found.notes, outputs, target or outputs / PAGE))
    else:
        _put(as_csv(table, rows) if form == "csv" else as_json(rows, found.notes), target)


def _text(table: Table, rows: Sequence[Row], notes: Sequence[str], outputs: Path, target: Path | None) -> None:
    """The table, and beside it always the page."""
    terminal = target is None and sys.stdout.isatty()
    _put(as_text(table, rows, shutil.get_terminal_size().columns if terminal else None), target)
    print(f"\npage  {_page(table, rows, notes, outputs, outputs / PAGE)}")


def after_sweep(name: str, outputs: Path) -> None:
    """The table of one sweep, and the page of all that `outputs` holds."""
    found = collect(outputs)
    table = Table(choose(found.rows, [name], outputs))
    terminal = sys.stdout.isatty()
    print()
    _put(as_text(table, list(table.rows), shutil.get_terminal_size().columns if terminal else None), None)
    whole = Table(found.rows)
    print(f"\npage  {_page(whole, list(whole.rows), found.notes, outputs, outputs / PAGE)}")


def _page(table: Table, rows: Sequence[Row], notes: Sequence[str], outputs: Path, target: Path) -> Path:
    write(target, as_html(table, rows, notes, outputs, target))
    return shown(target)


def _put(text: str, target: Path | None) -> None:
    if target is None:
        print(text, end="")
        return
    write(target, text)
    print(shown(target))


def write(target: Path, text: str) -> None:
    """Write a file at once, readable by whom the umask allows.

    Raises:
        StageError: it can't be written.
    """
    new = target.parent / f".{target.name}.{secrets.token_hex(4)}"
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        new.write_text(text, encoding="utf-8", newline="\n")
        new.replace(target)
    except OSError as error:
        new.unlink(missing_ok=True)
        message = f"{target} can't be written: {error.strerror}"
        raise StageError(message) from error
