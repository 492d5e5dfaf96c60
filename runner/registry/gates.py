"""The words that metrics and checks are declared by: which direction is better, and what a gate limits."""

from __future__ import annotations

from enum import StrEnum


class Better(StrEnum):
    """Which values of a metric, or of a column, are better."""

    LOWER = "lower"
    HIGHER = "higher"


class GateKind(StrEnum):
    """What a gate limits, by its key in a check."""

    MAX = "max"
    MIN = "min"
    MAX_DROP = "max_drop"
    """Reference - value."""
    MAX_RELATIVE_INCREASE = "max_relative_increase"
    """Value / reference - 1."""


LIMITS = frozenset({GateKind.MAX, GateKind.MIN})
"""Those on the value itself; the others are on its distance from the reference's."""

DISTANCE = {Better.LOWER: GateKind.MAX_RELATIVE_INCREASE, Better.HIGHER: GateKind.MAX_DROP}
"""Direction -> the distance that a worse model misses."""
