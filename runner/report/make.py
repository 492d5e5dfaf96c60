"""`ovrun report`: collect the rows, choose, sort, and write them in the form that is asked for."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Sequence
from pathlib import Path

from runner.base.trouble import cannot_write
from runner.report.columns import Table, chosen
from runner.report.console import shown
from runner.report.output import Output
from runner.report.page import as_html
from runner.report.rows import Row, choose, collect
from runner.report.table import as_csv, as_json, text_lines

PAGE = "report.html"


def make_report(
    words: Sequence[str],
    outputs: Path,
    output: Output,
    *,
    form: str,
    target: Path | None,
    sort: str | None,
    reverse: bool,
) -> None:
    """Print or write a report of what `words` name.

    Args:
        words: recipes, sweeps, points, versions or patterns; none of them means all.
        outputs: the folder of the artifacts.
        output: where the answer goes.
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
        output.warn(f"warning: {note}")
    table, rows = chosen(found.rows, words, outputs, sort=sort, reverse=reverse)
    if form == "text" and not rows:
        output.lines([f"{outputs}/ holds no version and no sweep yet; `ovrun optimize NAME` makes one"])
    elif form == "text":
        _text(table, rows, found.notes, outputs, target, output)
    elif form == "html":
        output.lines([str(_page(table, rows, found.notes, outputs, target or outputs / PAGE))])
    else:
        _put(as_csv(table, rows) if form == "csv" else as_json(rows, found.notes), target, output)


def _text(
    table: Table, rows: Sequence[Row], notes: Sequence[str], outputs: Path, target: Path | None, output: Output
) -> None:
    """The table, and beside it always the page."""
    if target is not None:
        _put("".join(f"{line}\n" for line in text_lines(table, rows)), target, output)
    else:
        output.say(text_lines(table, rows, output.width))
    page = _page(table, rows, notes, outputs, outputs / PAGE)
    output.say(["", f"page  {page}"], [str(page)] if target is None else [])


def after_sweep(name: str, outputs: Path, output: Output) -> None:
    """The table of one sweep, and the page of all that `outputs` holds."""
    found = collect(outputs)
    table = Table(choose(found.rows, [name], outputs))
    output.lines(["", *text_lines(table, list(table.rows), output.width)])
    whole = Table(found.rows)
    output.lines(["", f"page  {_page(whole, list(whole.rows), found.notes, outputs, outputs / PAGE)}"])


def _page(table: Table, rows: Sequence[Row], notes: Sequence[str], outputs: Path, target: Path) -> Path:
    write(target, as_html(table, rows, notes, outputs, target))
    return shown(target)


def _put(text: str, target: Path | None, output: Output) -> None:
    if target is None:
        output.data(text)
        return
    write(target, text)
    output.lines([str(shown(target))])


def write(target: Path, text: str) -> None:
    """Write a file at once, readable by whom the umask allows.

    Raises:
        StageError: it can't be written.
    """
    new = target.parent / f".{target.name[:200]}.{secrets.token_hex(4)}"
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        new.write_text(text, encoding="utf-8", newline="\n")
        new.replace(target)
    except OSError as error:
        with contextlib.suppress(OSError):
            new.unlink()
        raise cannot_write(target, OSError(error.errno, error.strerror)) from error
