"""The sizes of a model's parts, as lines of text."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from runner.base.figures import megabytes

if TYPE_CHECKING:
    from runner.artifact.types import PartSize, SizeRecord


def part_lines(size: SizeRecord) -> Iterator[str]:
    """`unet         1.2 MB, 0.51 x converted` for each part; none for a model of one part."""
    parts = size.get("parts", {})
    width = max(map(len, parts), default=0)
    for part, found in parts.items():
        yield f"{part:<{width}}  {megabytes(found['optimized']):>8}{ratio(found)}"


def ratio(size: PartSize) -> str:
    """`, 0.51 x converted`; empty where that is not known, or nothing changed."""
    if not size["converted"] or size["converted"] == size["optimized"]:
        return ""
    return f", {size['optimized'] / size['converted']:.2f} x converted"
