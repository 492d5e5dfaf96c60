"""Columns of text: how wide it is on a terminal, filled up, cut off, and aligned."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from runner.base import safe


def width(text: str) -> int:
    """How many places the text takes on a terminal: two for a wide character, none for a combining one."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def pad(text: str, wide: int, *, right: bool = False) -> str:
    """The text with blanks behind it, or before it, up to so many places."""
    blanks = " " * (wide - width(text))
    return blanks + text if right else text + blanks


def cut(text: str, wide: int | None) -> str:
    """The text, ending in … where it takes more places than there are."""
    if wide is None or width(text) <= wide:
        return text
    if text.isascii():
        return text[: max(0, wide - 1)] + "…"
    from rich.cells import set_cell_size

    return set_cell_size(text, max(0, wide - 1)).rstrip() + "…"


def aligned(rows: Iterable[Sequence[str]], *, right: Sequence[int] = (), widest: int | None = None) -> list[str]:
    """Rows of cells as lines with columns of equal width, two blanks apart.

    Args:
        rows: rows of equal length.
        right: which columns end at the right, as numbers do.
        widest: a cell that is wider pushes only its own row to the right.
    """
    cells = [[safe.line(cell) for cell in row] for row in rows]
    widths = [min(max(map(width, column)), widest or 1 << 30) for column in zip(*cells, strict=True)]
    lines = []
    for row in cells:
        padded = (pad(cell, wide, right=at in right) for at, (cell, wide) in enumerate(zip(row, widths, strict=True)))
        lines.append("  ".join(padded).rstrip())
    return lines
