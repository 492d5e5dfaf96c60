"""Exact match: the share of rows whose reply is the known one, white space around both left out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.registry.metrics import metric

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from runner.metrics.kept import Kept


@metric(
    "exact_match",
    better="higher",
    rows="texts",
    needs=("reply",),
    aggregate="proportion",
    help="share of rows whose reply is the known one, white space around both left out",
    source="the same text, white space around both left out",
    revision=3,
)
def exact_match(kept: Kept, targets: Mapping[str, Sequence[object]]) -> object:
    """1 where both are the same, 0 where not."""
    replies = zip(kept.values, targets["reply"], strict=True)
    return [str(reply).strip() == str(expected).strip() for reply, expected in replies]
