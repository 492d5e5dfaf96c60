"""Rows that are worse or better with the model than with the reference: which, and by how much."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from runner.registry.gates import Better
from runner.registry.metrics import Family

if TYPE_CHECKING:
    from runner.metrics.intervals import Numbers

SHOWN = 100


def scores(family: Family, statistics: Numbers) -> Numbers | None:
    """One number a row, [rows]: the metric's own, or that of its mean or ratio; None where it says no such thing."""
    if family.score is not None:
        return np.asarray(family.score(statistics), np.float64)
    if not isinstance(family.aggregate, str):
        return None
    if family.aggregate != "ratio":
        return statistics[:, 0]
    with np.errstate(divide="ignore", invalid="ignore"):
        return statistics[:, 0] / statistics[:, 1]


def flips(
    model: Numbers | None, reference: Numbers | None, better: Better, numbers: Sequence[int] = ()
) -> dict[str, object] | None:
    """How many rows are worse and better, and the first hundred that are worse, those that lost most first.

    Of a share, a row that is worse was right with the reference and is wrong with the model. `numbers` says which rows
    of the whole dataset these are, from 0.

    Returns:
        {"worse": n, "better": n, "rows": [{"row": from 1, "model": score, "reference": score}, …]}; a score that is no
        number is None, and worse than any. None where there are no scores.
    """
    if model is None or reference is None:
        return None
    gain = (model - reference) * (1 if better == Better.HIGHER else -1)
    lost = np.isnan(model) & ~np.isnan(reference)
    gain = np.where(lost, -np.inf, np.where(np.isnan(gain), 0.0, gain))
    worst = np.argsort(gain, kind="stable")[:SHOWN]
    place = numbers or range(len(gain))
    rows = [
        {
            "row": int(place[index]) + 1,
            "model": _number(model[index]),
            "reference": _number(reference[index]),
        }
        for index in worst
        if gain[index] < 0
    ]
    return {"worse": int((gain < 0).sum()), "better": int((gain > 0).sum()), "rows": rows}


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
