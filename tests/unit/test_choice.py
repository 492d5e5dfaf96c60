"""The choice of a sweep's best point, on rows made by hand."""

from __future__ import annotations

from typing import Any

import pytest

from runner.metrics.gates import missed_gates, undecided_gates
from runner.recipe.types import Gate, Select
from runner.run.choosing import best


def row(size: int, divergence: float | None, drop: float = 0.0) -> dict[str, Any]:
    accuracy = {"value": 0.9 - drop, "reference_value": 0.9}
    return {
        "size": size,
        "seconds": float(size),
        "checks": [
            {
                "metric": "kl_divergence",
                "dataset": "text",
                "value": divergence,
                "values": {"kl_divergence": divergence},
            },
            {
                "metric": "exact_match",
                "dataset": "questions",
                **accuracy,
                "values": {"exact_match": accuracy["value"]},
                "reference_values": {"exact_match": 0.9},
            },
        ],
    }


ROWS = [row(30, 0.01), row(20, 0.02, drop=0.05), row(10, 0.03), row(10, 0.02), row(5, None)]


@pytest.mark.parametrize(
    ("select", "chosen"),
    [
        (Select("minimize", "size"), 4),
        (Select("minimize", "kl_divergence"), 0),
        (Select("maximize", "exact_match"), 4),
        (Select("minimize", "size", (Gate("kl_divergence", max=0.02),)), 3),
        (Select("minimize", "size", (Gate("kl_divergence", max=0.025), Gate("exact_match", min=0.89))), 3),
        (Select("maximize", "size", (Gate("exact_match", max_drop=0.01),)), 0),
        (Select("minimize", "size", (Gate("kl_divergence", max=0.001),)), None),
    ],
)
def test_the_best_meets_its_gates(select: Select, chosen: int | None) -> None:
    assert best(select, ROWS)[0] == chosen


def test_equal_points_are_told_apart_by_size_then_order() -> None:
    assert best(Select("minimize", "kl_divergence"), [row(20, 0.02), row(10, 0.02), row(10, 0.02)])[0] == 1


def test_why_a_point_can_not_be_chosen() -> None:
    _, reasons = best(Select("minimize", "kl_divergence", (Gate("exact_match", max_drop=0.01),)), ROWS)
    assert reasons[0] is None
    assert reasons[1] == "select: exact_match: max_drop is 0.01, measured 0.05"
    assert reasons[4] == "kl_divergence has no value"


def test_a_check_that_has_no_number_is_told_with_and_without_a_gate() -> None:
    gates = [{"gate": "max", "limit": 0.1, "measured": 0.25, "passed": False}]
    alone = [{"gate": None, "limit": None, "measured": None, "passed": False}]
    checks = [{"metric": "sqnr", "dataset": "a", "gates": gates}, {"metric": "sqnr", "dataset": "b", "gates": alone}]
    assert missed_gates(checks) == "sqnr on a: max is 0.1, measured 0.25; sqnr on b: measured no number"


def test_a_gate_of_select_is_held_against_the_bound_where_its_check_decides_by_it() -> None:
    here = row(10, 0.02)
    here["checks"][0] |= {"decide": "bound", "intervals": {"kl_divergence": [0.01, 0.04]}}
    chosen, reasons = best(Select("minimize", "size", (Gate("kl_divergence", max=0.03),)), [here])
    assert (chosen, reasons) == (None, ["select: kl_divergence: undecided, max is 0.03, measured 0.02"])
    here["checks"][0]["decide"] = "point"
    assert best(Select("minimize", "size", (Gate("kl_divergence", max=0.03),)), [here])[0] == 0


def test_gates_that_are_undecided_are_told_apart_from_those_missed() -> None:
    gates: list[Any] = [
        {"gate": "max", "limit": 0.1, "measured": 0.09, "passed": False, "interval": [0.05, 0.2], "undecided": True},
        {"gate": "min", "limit": 0.1, "measured": 0.09, "passed": False, "interval": None, "undecided": False},
    ]
    checks: list[Any] = [{"metric": "sqnr", "dataset": "a", "gates": gates}]
    assert missed_gates(checks) == "sqnr on a: min is 0.1, measured 0.09"
    assert undecided_gates(checks) == "sqnr on a: max is 0.1, measured 0.09, 95 % interval 0.05 to 0.2"
