"""The best of a sweep's points: what `select` asks for, held against what was measured."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

from runner.metrics.gates import Verdict, judge
from runner.recipe.accuracy import Check
from runner.recipe.types import Gate, Select

if TYPE_CHECKING:
    from runner.artifact.types import Cost as Row


def best(select: Select, rows: Sequence[Row]) -> tuple[int | None, list[str | None]]:
    """The number of the best row, None if none meets the gates; and why each row that can't be chosen can't.

    Of rows that are equally good the smallest model wins, then the first.
    """
    reasons = [_refusal(select, row) for row in rows]
    sign = 1 if select.goal == "minimize" else -1
    open_to = [index for index, reason in enumerate(reasons) if reason is None]
    ranked = sorted(open_to, key=lambda index: (sign * _value(rows[index], select.by), rows[index]["size"], index))
    return (ranked[0] if ranked else None), reasons


def _refusal(select: Select, row: Row) -> str | None:
    missed = [words for gate in select.subject_to for words in _missed(gate, row)]
    if missed:
        return "; ".join(missed)
    return None if math.isfinite(_value(row, select.by)) else f"{select.by} has no value"


def _value(row: Row, by: str) -> float:
    if by in ("size", "seconds"):
        return float(row["size"] if by == "size" else row["seconds"])
    value = next((check["value"] for check in row["checks"] if check["metric"] == by), None)
    return math.nan if value is None else float(value)


def _missed(gate: Gate, row: Row) -> list[str]:
    check = next(
        check for check in row["checks"] if check["metric"] == gate.metric and gate.dataset in (None, check["dataset"])
    )
    limits = {key: value for key, value in asdict(gate).items() if key not in ("metric", "dataset")}
    own = Check(gate.metric, check["dataset"], **limits)
    verdicts = judge(replace(own, decide="bound") if check.get("decide") == "bound" else own, check)
    return [_words(verdict) for verdict in verdicts if not verdict.passed]


def _words(verdict: Verdict) -> str:
    limit = "" if verdict.limit is None else f"{verdict.gate} is {verdict.limit:g}, "
    told = "undecided, " if verdict.undecided else ""
    return f"select: {verdict.metric}: {told}{limit}measured {verdict.measured:.4g}"
