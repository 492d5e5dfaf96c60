"""Intervals of a pass over text: windows are what is drawn."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from runner.metrics.kld import Scores, statistics
from runner.metrics.windowed import Units, intervals
from runner.registry.metrics import METRICS


def scores(tokens: int, seed: int = 0) -> tuple[Scores, Scores]:
    rng = np.random.default_rng(seed)
    base = rng.exponential(2, tokens).astype(np.float32)
    top = rng.integers(0, 9, tokens).astype(np.int32)
    divergence = rng.exponential(0.01, tokens).astype(np.float32)
    loss = (base + rng.normal(0, 0.1, tokens)).astype(np.float32)
    empty = np.empty(0, np.float32)
    return Scores(loss, np.where(rng.random(tokens) < 0.1, 0, top), divergence), Scores(base, top, empty)


@pytest.mark.parametrize("windows", [[100] * 12, [60, 40, 7], [30]])
def test_every_figure_lies_in_its_interval(windows: list[int]) -> None:
    model, reference = scores(sum(windows))
    values, _ = statistics(model, reference)
    found: Any = intervals(windows, model, reference)
    assert found["rows"] == sum(windows)
    assert set(found["intervals"]) == set(values) - {"kl_divergence_max"}
    for name, (low, high) in found["intervals"].items():
        assert METRICS[name].least <= low <= values[name] <= high <= METRICS[name].most
        assert low < high
    by = "windows" if len(windows) >= 8 else "tokens"
    assert {method.rsplit(", ")[1] for method in found["methods"].values()} == {f"by {by}"}
    apart = found["differences"]["perplexity"]
    reference_perplexity = float(np.exp(reference.loss.astype(np.float64).mean()))
    assert apart["value"] == pytest.approx(values["perplexity"] - reference_perplexity)
    assert found["relative_differences"]["perplexity"]["value"] == pytest.approx(
        values["perplexity"] / reference_perplexity - 1
    )


def test_figures_that_are_no_numbers_have_no_interval() -> None:
    model, reference = scores(200)
    model.divergence[7] = model.loss[7] = np.nan
    model.top[7] = -1
    found: Any = intervals([20] * 10, model, reference)
    assert found["intervals"] == {}
    assert found["differences"]["perplexity"]["interval"] is None


def test_the_interval_of_a_mean_holds_for_tokens_that_go_together_in_their_windows() -> None:
    """2,000 passes of 40 windows: the mean of all possible ones is 0, and lies in 93 to 97 of a hundred intervals."""
    rng = np.random.default_rng(3)
    counts = [25] * 39 + [10]
    units, tokens = Units(counts), Units([1] * 7)
    tokens.counts, tokens._of_token = np.ones(sum(counts), np.int64), np.arange(sum(counts))
    within = by_token = 0
    for _ in range(2000):
        values = np.repeat(rng.normal(0, 1, 40), counts) + rng.normal(0, 1, sum(counts))
        found, naive = units.mean(values), tokens.mean(values)
        within += found.low <= 0 <= found.high
        by_token += naive.low <= 0 <= naive.high
    assert 0.93 <= within / 2000 <= 0.97
    assert by_token / 2000 < 0.6


def test_quantiles_are_drawn_by_windows() -> None:
    rng = np.random.default_rng(0)
    values = np.repeat(rng.exponential(1, 50), 20)
    (median, high), (narrow, _) = (Units(counts).quantiles(values, [0.5, 0.95]) for counts in ([20] * 50, [1000]))
    assert (median.value, high.value) == tuple(np.quantile(values, [0.5, 0.95]))
    assert median.low <= median.value <= median.high
    assert narrow.high - narrow.low < 0.6 * (median.high - median.low)
