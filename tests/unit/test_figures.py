"""Measures of kept rows: values, intervals, differences on the same rows, and what flipped."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from runner.errors import SourceError, StageError
from runner.metrics.figures import measure
from runner.metrics.intervals import compare, paired_proportions, proportion
from runner.metrics.kept import Kept, NotFinite
from runner.registry.metrics import Family, OfSums, metric


def kept(values: Any, gives: str = "class scores", **more: Any) -> Kept:
    return Kept(gives, len(values), (), {"rows": len(values)}, values, **more)


def right(given: Kept, targets: Any) -> Any:
    return np.asarray(given.values).argmax(1) == np.array(targets["label"])


def share(function: Callable[..., Any] = right, **more: Any) -> Family:
    given: dict[str, Any] = {
        "better": "higher", "rows": "class scores", "needs": ("label",), "help": "-", "aggregate": "proportion",
    }  # fmt: skip
    return metric("share", **{**given, **more})(function)


SCORES = np.eye(3)[[0, 1, 2, 0, 1, 2, 0, 1]]
LABELS = {"label": [0, 1, 2, 0, 1, 2, 1, 1]}
WORSE = np.eye(3)[[0, 1, 2, 1, 1, 0, 1, 1]]


def test_a_share_has_exact_intervals_and_its_difference_is_on_the_same_rows() -> None:
    found = measure(share(), kept(WORSE), kept(SCORES), LABELS, {})
    told: Any = found.result
    assert told["values"] == {"share": 6 / 8} and told["reference_values"] == {"share": 7 / 8}
    assert told["intervals"] == {"share": proportion(6, 8).interval}
    assert told["reference_intervals"] == {"share": proportion(7, 8).interval}
    apart = paired_proportions(*(np.array(one, float) for one in ([1, 1, 1, 0, 1, 0, 1, 1], [1, 1, 1, 1, 1, 1, 0, 1])))
    assert told["differences"] == {"share": {"value": -1 / 8, "interval": apart.interval, "method": apart.method}}
    assert (told["rows"], told["seed"], told["methods"]) == (8, 0, {"share": "exact (Clopper-Pearson)"})
    assert told["details"] == {"rows_without_numbers": 0}
    assert found.statistics.shape == (8, 1) and found.reference is not None


def test_the_rows_that_flipped_are_told() -> None:
    told: Any = measure(share(), kept(WORSE), kept(SCORES), LABELS, {}).result
    rows = [{"row": 4, "model": 0.0, "reference": 1.0}, {"row": 6, "model": 0.0, "reference": 1.0}]
    assert told["flipped"] == {"worse": 2, "better": 1, "rows": rows}


def test_of_many_worse_rows_the_worst_hundred_are_kept() -> None:
    lower = share(lambda given, targets: np.asarray(given.values)[:, 0], better="lower", aggregate="mean", needs=())
    model, base = np.arange(300.0)[:, None] / 300, np.zeros((300, 1))
    told: Any = measure(lower, kept(model), kept(base), {}, {}).result["flipped"]
    assert (told["worse"], told["better"], len(told["rows"])) == (299, 0, 100)
    assert told["rows"][0] == {"row": 300, "model": 299 / 300, "reference": 0.0}
    better: Any = measure(lower, kept(base), kept(model), {}, {}).result["flipped"]
    assert (better["worse"], better["better"], better["rows"]) == (0, 299, [])


def test_a_ratio_flips_by_the_ratio_of_its_row() -> None:
    ratio = share(lambda given, targets: given.values, better="lower", aggregate="ratio", needs=(), span=(0, math.inf))
    told: Any = measure(ratio, kept(np.array([[2.0, 4], [1, 4]])), kept(np.array([[1.0, 4], [1, 4]])), {}, {}).result
    assert told["values"] == {"share": 3 / 8}
    assert told["flipped"]["rows"] == [{"row": 1, "model": 0.5, "reference": 0.25}]


def test_a_function_of_statistics_flips_where_the_metric_says_how() -> None:
    def pairs(given: Kept, targets: Any) -> Any:
        return np.stack([np.array(targets["label"]), np.asarray(given.values).argmax(1)], axis=1)

    def equal(statistics: Any) -> float:
        return float((statistics[:, 0] == statistics[:, 1]).mean())

    silent = share(pairs, aggregate=equal)
    assert measure(silent, kept(WORSE), kept(SCORES), LABELS, {}).result["flipped"] is None
    telling = share(pairs, aggregate=equal, score=lambda rows: rows[:, 0] == rows[:, 1], details=lambda rows: {"n": 8})
    told: Any = measure(telling, kept(WORSE), kept(SCORES), LABELS, {}).result
    assert told["flipped"]["worse"] == 2 and told["details"]["n"] == 8
    assert told["methods"] == {"share": "bootstrap of rows (BCa)"}
    assert told["values"] == {"share": 0.75} and told["intervals"]["share"][0] < 0.75 < told["intervals"]["share"][1]


def test_a_metric_against_the_reference_has_no_value_of_its_own() -> None:
    def same(given: Kept, base: Kept, targets: Any) -> Any:
        return np.asarray(given.values).argmax(1) == np.asarray(base.values).argmax(1)

    told: Any = measure(share(same, compares=True, needs=()), kept(WORSE), kept(SCORES), {}, {}).result
    assert told["values"] == {"share": 5 / 8} and told["reference_values"] == {}
    assert told["intervals"] == {"share": proportion(5, 8).interval}
    assert "differences" not in told and "flipped" not in told


def test_an_interval_goes_nowhere_where_no_value_is() -> None:
    mean = share(lambda given, targets: np.asarray(given.values)[:, 0], aggregate="mean", needs=())
    values = np.array([[1.0], [1.0], [0.9], [1.0]])
    told: Any = measure(mean, kept(values), kept(values), {}, {}).result
    assert told["intervals"]["share"][1] == 1.0 and told["intervals"]["share"][0] < 0.975


def test_settings_reach_the_function_and_the_protocol() -> None:
    def above(given: Kept, targets: Any, *, least: float = 0.5) -> Any:
        return np.asarray(given.values)[:, 0] > least

    told: Any = measure(share(above, needs=()), kept(SCORES), kept(SCORES), {}, {"least": 2.0}).result
    assert told["values"] == {"share": 0.0}
    assert told["protocol"]["settings"] == {"least": 2.0} and told["protocol"]["function"].endswith("above")


def test_a_row_without_a_number_leaves_none_and_is_told() -> None:
    def third(given: Kept, targets: Any) -> Any:
        return np.array([1.0, 1.0, math.inf])

    family = share(third, needs=())
    wrong = kept(SCORES[:3], not_finite=NotFinite("logits", 1, 2))
    told: Any = measure(family, wrong, kept(SCORES[:3]), {}, {}).result
    assert math.isnan(told["values"]["share"]) and told["intervals"] == {}
    assert told["details"]["rows_without_numbers"] == 1 and told["details"]["first_row_without_number"] == 3
    assert told["details"]["not_finite"] == "output logits isn't finite in 1 rows, first in row 3"


def fails(given: Kept, targets: Any) -> Any:
    message = "no such thing"
    raise LookupError(message)


def refuses(given: Kept, targets: Any) -> Any:
    message = "labels go to 9"
    raise SourceError(message)


@pytest.mark.parametrize(
    ("function", "error", "words"),
    [
        (fails, StageError, r"test_figures\.fails failed: LookupError\('no such thing'\)"),
        (refuses, SourceError, "labels go to 9"),
        (lambda given, targets: 1.0, StageError, r"shape \[\], not one number"),
        (lambda given, targets: np.zeros(7), StageError, r"shape \[7\], not .* each of 8 rows"),
        (lambda given, targets: np.zeros((8, 0)), StageError, r"shape \[8, 0\]"),
        (lambda given, targets: ["a"] * 8, StageError, "failed: ValueError"),
    ],
)
def test_what_a_function_may_not_give(function: Any, error: Any, words: str) -> None:
    with pytest.raises(error, match=words):
        measure(share(function), kept(SCORES), kept(SCORES), LABELS, {})


def test_other_rows_are_refused() -> None:
    with pytest.raises(SourceError, match="share is measured on class scores, and the model gives texts"):
        measure(share(), kept(["a"] * 8, "texts"), kept(["a"] * 8, "texts"), LABELS, {})
    with pytest.raises(StageError, match=r"have \[7, 8\] rows"):
        measure(share(), kept(SCORES[:7]), kept(SCORES), LABELS, {})


def test_a_relative_difference_goes_with_the_difference() -> None:
    def wrong(given: Kept, targets: Any) -> Any:
        return given.values

    family = share(wrong, better="lower", aggregate="ratio", needs=(), span=(0, math.inf))
    rng = np.random.default_rng(0)
    base = np.stack([rng.integers(1, 9, 50), np.full(50, 20)], 1).astype(float)
    model = base + np.stack([rng.integers(0, 2, 50), np.zeros(50)], 1)
    told: Any = measure(family, kept(model), kept(base), {}, {}).result
    found = compare(model, base, "ratio").relative
    assert told["relative_differences"]["share"] == {
        "value": found.value, "interval": found.interval, "method": found.method,
    }  # fmt: skip


def test_an_aggregate_of_sums_has_no_scores() -> None:
    family = share(aggregate=OfSums(lambda sums: sums[..., 0] / 8))
    assert measure(family, kept(WORSE), kept(SCORES), LABELS, {}).result["flipped"] is None
