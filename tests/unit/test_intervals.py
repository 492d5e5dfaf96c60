"""Intervals of measures: by simulation, and against other ways to the same number."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from runner.metrics.bootstrap import draws_for, resampled
from runner.metrics.intervals import Estimate, compare, estimate, paired_proportions, proportion, value
from runner.metrics.output_error import Tally
from runner.metrics.stream_intervals import of_rows
from runner.recipe import load_recipe
from runner.registry.metrics import OfSums
from runner.run.resolution import half_width, rows_needed, unresolved

SIMULATED, ROWS = 2000, 150
Sample = Callable[[np.random.Generator], Any]


def f1(sums: Any) -> Any:
    """Of true positives, false positives and false negatives."""
    return 2 * sums[..., 0] / (2 * sums[..., 0] + sums[..., 1] + sums[..., 2])


F1 = OfSums(f1)


def covered(draw: Callable[[np.random.Generator], Estimate], truth: float) -> float:
    """The share of simulated data whose interval holds the truth."""
    rng = np.random.default_rng(7)
    found = [draw(rng) for _ in range(SIMULATED)]
    return sum(one.low <= truth <= one.high for one in found) / SIMULATED


@pytest.mark.parametrize(("share", "rows"), [(0.5, 30), (0.9, 200), (0.97, 100), (0.99, 50)])
def test_the_exact_interval_of_a_share_covers_at_least_95_percent(share: float, rows: int) -> None:
    # more than 97 % where few shares are possible: exact means that no share is covered less
    assert covered(lambda rng: proportion(int(rng.binomial(rows, share)), rows), share) >= 0.95


def flips(rng: np.random.Generator, rows: int, both: float, lost: float, gained: float) -> tuple[Any, Any]:
    """What is right with the model and with the reference: on both, on the reference alone, on the model alone."""
    kind = rng.choice(4, rows, p=[both, lost, gained, 1 - both - lost - gained])
    return np.isin(kind, (0, 2)).astype(float), np.isin(kind, (0, 1)).astype(float)


@pytest.mark.parametrize(
    ("rows", "both", "lost", "gained"), [(200, 0.85, 0.04, 0.03), (100, 0.6, 0.1, 0.02), (1000, 0.9, 0.02, 0.02)]
)
def test_the_interval_of_a_difference_of_shares_on_the_same_rows_covers_95_percent(
    rows: int, both: float, lost: float, gained: float
) -> None:
    share = covered(lambda rng: paired_proportions(*flips(rng, rows, both, lost, gained)), gained - lost)
    assert 0.93 <= share <= 0.97


def normal(rng: np.random.Generator) -> Any:
    return rng.normal(3, 1, (40, 1))


def words(rng: np.random.Generator) -> Any:
    length = rng.integers(4, 30, 120)
    return np.stack([rng.binomial(length, 0.15), length], axis=1).astype(float)


def squares(rng: np.random.Generator) -> Any:
    return rng.normal(0, 2, (300, 1)) ** 2


def answers(rng: np.random.Generator) -> Any:
    label, right = rng.random(ROWS) < 0.4, rng.random(ROWS) < 0.85
    predicted = label == right
    return np.stack([label & predicted, ~label & predicted, label & ~predicted], axis=1).astype(float)


F1_TRUE = 2 * 0.4 * 0.85 / (2 * 0.4 * 0.85 + 0.6 * 0.15 + 0.4 * 0.15)


@pytest.mark.parametrize(
    ("sample", "aggregate", "truth"),
    [(normal, "mean", 3.0), (words, "ratio", 0.15), (squares, "root mean", 2.0)],
)
def test_the_interval_of_a_value_covers_95_percent(sample: Sample, aggregate: Any, truth: float) -> None:
    share = covered(lambda rng: estimate(sample(rng), aggregate), truth)
    assert 0.93 <= share <= 0.97


def worse(rows: Any, rng: np.random.Generator) -> Any:
    """The same rows with a tenth more noise, of which the truth is known."""
    return rows + rng.normal(0.1, 0.2, rows.shape)


def test_the_interval_of_a_difference_on_the_same_rows_covers_95_percent_and_is_the_narrower() -> None:
    def draw(rng: np.random.Generator) -> Estimate:
        rows = normal(rng)
        found = compare(worse(rows, rng), rows, "mean")
        assert found.difference.high - found.difference.low < (found.model.high - found.model.low) / 2
        return found.difference

    assert 0.93 <= covered(draw, 0.1) <= 0.97


def test_the_interval_of_a_ratio_on_the_same_rows_covers_95_percent() -> None:
    def draw(rng: np.random.Generator) -> Estimate:
        rows = words(rng)
        more = rows + np.stack([rng.binomial(rows[:, 1].astype(int), 0.03), np.zeros(len(rows))], axis=1)
        return compare(more, rows, "ratio").relative

    assert 0.93 <= covered(draw, 0.2) <= 0.97


def test_the_bootstrap_of_a_value_and_of_a_difference_covers_95_percent() -> None:
    rng, held = np.random.default_rng(7), []
    hit, wrong, missed = 0.34 * 0.9, 0.09, 0.06 + 0.034
    truth = 2 * hit / (2 * hit + wrong + missed) - F1_TRUE
    for _ in range(SIMULATED):
        rows = answers(rng)
        lost = rows[:, 0] * (rng.random(len(rows)) < 0.1)  # true positives that the model misses
        found = compare(rows + np.stack([-lost, 0 * lost, lost], axis=1), rows, F1, draws=300)
        here, apart = found.reference, found.difference
        held.append((here.low <= F1_TRUE <= here.high, apart.low <= truth <= apart.high))
    for share in np.mean(held, axis=0):
        assert 0.93 <= share <= 0.97


def test_an_exact_interval_is_the_one_of_the_tables() -> None:
    found = proportion(8, 10)
    assert (found.value, round(found.low, 4), round(found.high, 4)) == (0.8, 0.4439, 0.9748)
    assert proportion(10, 10).interval == [pytest.approx(0.025**0.1), 1.0]
    assert proportion(0, 10).interval == [0.0, pytest.approx(1 - 0.025**0.1)]


@pytest.mark.parametrize(("gained", "lost", "rows"), [(3, 9, 80), (0, 4, 50), (12, 12, 300)])
def test_at_the_ends_of_a_paired_interval_the_score_is_that_of_the_likelihoods_maximum(
    gained: int, lost: int, rows: int
) -> None:
    from scipy.optimize import minimize_scalar

    model = np.array([1.0] * gained + [0.0] * lost + [1.0] * (rows - gained - lost))
    found = paired_proportions(model, np.array([0.0] * gained + [1.0] * lost + [1.0] * (rows - gained - lost)))
    for at in (found.low, found.high):

        def unlikely(share: float, at: float = at) -> float:
            parts = ((gained, share + at), (lost, share), (rows - gained - lost, 1 - 2 * share - at))
            return -sum(count * math.log(chance) for count, chance in parts if count)

        bounds = (max(0, -at) + 1e-12, (1 - at) / 2 - 1e-12)
        best = minimize_scalar(unlikely, bounds=bounds, method="bounded", options={"xatol": 1e-12}).x
        score = (gained - lost - rows * at) / math.sqrt(rows * (2 * best + at - at * at))
        assert abs(score) == pytest.approx(1.959964, rel=1e-4)


def test_no_flips_among_few_rows_leave_the_difference_open() -> None:
    found = paired_proportions(np.ones(20), np.ones(20))
    assert found.value == 0
    assert found.low == pytest.approx(-found.high) == pytest.approx(-(1.96**2) / (20 + 1.96**2), abs=1e-4)


def test_a_mean_of_zeros_and_ones_is_a_share() -> None:
    assert estimate(np.ones((12, 1)), "mean") == proportion(12, 12)
    assert compare(np.ones((12, 1)), np.ones((12, 1)), "mean").difference.method == "paired score (Tango)"


def test_an_aggregate_of_sums_and_the_same_as_a_function_have_one_interval() -> None:
    rows, other = answers(np.random.default_rng(1)), answers(np.random.default_rng(2))

    def whole(statistics: Any) -> float:
        return float(f1(statistics.sum(0)))

    of_sums, of_rows = compare(rows, other, F1, seed=5), compare(rows, other, whole, seed=5)
    for name in ("model", "reference", "difference", "relative"):
        one, two = getattr(of_sums, name), getattr(of_rows, name)
        assert [one.value, one.low, one.high] == pytest.approx([two.value, two.low, two.high], rel=1e-12)
    assert value(rows, F1) == value(rows, whole) == of_sums.model.value
    assert compare(rows, other, F1, seed=6).difference.low != of_sums.difference.low


def test_a_mean_by_the_bootstrap_is_about_that_by_the_delta_method() -> None:
    rows = np.random.default_rng(3).exponential(2, (400, 1))
    plain = estimate(rows, "mean")
    drawn = estimate(rows, OfSums(lambda sums: sums[..., 0] / 400))
    assert drawn.value == pytest.approx(plain.value)
    assert [drawn.low, drawn.high] == pytest.approx([plain.low, plain.high], rel=0.03)


@pytest.mark.parametrize("aggregate", ["mean", "ratio", "root mean", F1, lambda rows: float(rows.mean())])
def test_a_row_without_a_number_leaves_none(aggregate: Any) -> None:
    rows = np.ones((5, 3))
    rows[3, 0] = math.nan
    assert math.isnan(value(rows, aggregate))
    assert estimate(rows, aggregate).interval is None
    found = compare(rows, np.ones((5, 3)), aggregate)
    assert found.difference.interval is None and math.isnan(found.difference.value)
    assert found.reference.value == value(np.ones((5, 3)), aggregate)


@pytest.mark.parametrize(("above", "expected"), [(0.0, proportion(0, 30)), (3.0, proportion(30, 30)), (1.0, None)])
def test_a_ratio_that_is_the_same_in_all_rows_is_not_certain_at_its_ends(
    above: float, expected: Estimate | None
) -> None:
    """None of 30 rows of three words each was right: that may be so of one row in nine."""
    rows = np.stack([np.full(30, above), np.full(30, 3.0)], 1)
    found = estimate(rows, "ratio")
    assert found == (expected or Estimate(1 / 3, 1 / 3, 1 / 3, found.method))


def test_one_row_has_a_value_and_no_interval_but_for_a_share() -> None:
    assert estimate(np.full((1, 1), 0.3), "mean") == Estimate(0.3)
    assert estimate(np.ones((1, 1)), "proportion").interval == [pytest.approx(0.025), 1.0]
    assert estimate(np.ones((1, 3)), F1).value == 0.5


def test_draws_without_a_number_leave_no_interval_where_they_are_many() -> None:
    def of_two_classes(rows: Any) -> float:
        if len(set(rows[:, 0])) < 2:
            message = "one class"
            raise ValueError(message)
        return float(rows[:, 0].mean())

    rare = np.array([1.0] + [0.0] * 5)[:, None]
    assert estimate(rare, of_two_classes).interval is None
    assert estimate(np.array([1.0, 0.0] * 10)[:, None], of_two_classes).interval is not None


def test_more_rows_are_drawn_less_often() -> None:
    assert [draws_for(rows) for rows in (1, 20_000, 40_000, 10_000_000)] == [2000, 2000, 1000, 400]
    found = resampled([np.ones((30, 2))], OfSums(lambda sums: sums[..., 0]), 0, None)
    assert found.draws.shape == (2000, 1) and found.left_out.shape == (30, 1)


def test_rows_of_outputs_have_the_intervals_of_ratio_and_mean() -> None:
    rng = np.random.default_rng(0)
    base = rng.normal(0, 1, (300, 8)).astype(np.float32)
    tally = Tally()
    tally.add(base + rng.normal(0, 0.1, base.shape).astype(np.float32), base)
    told: Any = of_rows(tally)
    values = tally.values()
    for name in ("relative_l2", "cosine_similarity", "sqnr"):
        low, high = told["intervals"][name]
        assert low < values[name] < high
    assert told["intervals"]["sqnr"][0] == pytest.approx(-20 * math.log10(told["intervals"]["relative_l2"][1]))
    same = Tally()
    same.add(base, base)
    assert of_rows(same)["intervals"]["sqnr"] == pytest.approx([144.5, 144.5], abs=0.1)  # type: ignore[index]


def test_output_errors_of_tokens_that_go_together_in_their_windows_are_covered() -> None:
    """What all tokens of all texts have is in 93 to 97 of a hundred intervals by windows, and in few by tokens."""
    windows = [25] * 39 + [10]
    rng = np.random.default_rng(5)
    names = ("relative_l2", "cosine_similarity", "sqnr")
    truths = dict(zip(names, (0.1, 0.99, 20.0), strict=True))
    within, naive = ({name: 0 for name in names} for _ in range(2))
    for _ in range(SIMULATED):
        alike = np.repeat(rng.normal(0, 0.2, len(windows)), windows)
        signals = rng.uniform(1, 3, sum(windows))
        noises = 0.01 * signals * (1 + alike + rng.normal(0, 0.1, len(signals)))
        cosines = 0.99 + 0.01 * (alike + rng.normal(0, 0.1, len(signals)))
        tally = Tally(noises.sum(), signals.sum(), [cosines], [signals], [noises])
        for counted, told in ((within, of_rows(tally, windows)), (naive, of_rows(tally))):
            ends: Any = told["intervals"]
            for name, truth in truths.items():
                counted[name] += ends[name][0] <= truth <= ends[name][1]
    for name in names:
        assert 0.93 <= within[name] / SIMULATED <= 0.97
        assert naive[name] / SIMULATED < 0.6


@pytest.mark.parametrize(("windows", "by"), [([30] * 10, "windows"), ([100] * 3, "tokens"), ([20] * 10, ""), ([], "")])
def test_output_errors_tell_what_counts_as_drawn(windows: list[int], by: str) -> None:
    """Pooled outputs have fewer rows than tokens, and each counts."""
    rng = np.random.default_rng(0)
    base = rng.normal(0, 1, (300, 8)).astype(np.float32)
    tally = Tally()
    tally.add(base + rng.normal(0, 0.1, base.shape).astype(np.float32), base)
    told: Any = of_rows(tally, windows)
    assert told["rows"] == 300
    assert set(told["methods"].values()) == {f"delta method (Student's t){f', by {by}' if by else ''}"}


def test_rows_that_a_drop_takes() -> None:
    assert half_width(200) == pytest.approx(0.031, abs=5e-4)
    assert half_width(rows_needed(0.005)) == pytest.approx(0.005, rel=1e-3)


def test_rows_that_can_not_tell_a_drop_are_told_before_the_run() -> None:
    recipe = load_recipe("digits-int8")
    (told,) = unresolved([recipe, recipe])
    assert told.startswith("accuracy on digits_evaluation: 450 rows can't tell a drop of 0.01 from 0 (95 % interval")
    assert told.endswith("about 2,000 rows would")
    wide = replace(recipe.accuracy.checks[0], max_drop=0.1)
    assert not unresolved([replace(recipe, accuracy=replace(recipe.accuracy, checks=(wide,)))])
