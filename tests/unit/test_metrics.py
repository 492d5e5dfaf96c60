"""The registry, the gates, and the numbers behind divergence and output error."""

from __future__ import annotations

import errno
import math
import os
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from runner import metrics
from runner.metrics.coded import CodedFile, CodedRows, dither, divergence, encode, threshold
from runner.metrics.gates import Judged, judge
from runner.metrics.kld import Scores, compare, log_probabilities, statistics
from runner.metrics.output_error import Tally
from runner.metrics.stored import RowFile, Rows, load, save
from runner.recipe.accuracy import Check
from runner.registry.gates import LIMITS, GateKind
from runner.registry.metrics import FAMILIES, METRICS


@pytest.mark.parametrize("name", FAMILIES)
def test_a_family_is_measured_as_it_declares(name: str) -> None:
    family = FAMILIES[name]
    assert family.revision >= 1
    if family.function is not None:
        assert family.rows and not family.needs_reference and "numpy" in family.libraries
        return
    module = metrics.measuring(family)
    assert "openvino" in family.libraries
    assert callable(module.evaluate)
    assert hasattr(module, "reference") == family.needs_reference


def test_a_gate_is_what_a_check_can_hold() -> None:
    gates = {field.name for field in fields(Check)} - {"metric", "dataset", "params", "decide", "own"}
    assert gates == set(GateKind)


def verdicts(value: float | None, own: float | None = None, **gates: float) -> list[bool]:
    result: dict[str, Any] = {"values": {"m": value}}
    if own is not None:
        result["reference_values"] = {"m": own}
    return [verdict.passed for verdict in judge(Check("m", "d", **gates), result)]  # type: ignore[arg-type]


def test_limits_are_inclusive() -> None:
    assert verdicts(0.15, max=0.15) == verdicts(0.15, min=0.15) == [True]
    assert verdicts(0.151, max=0.15) == verdicts(0.149, min=0.15) == [False]
    assert verdicts(0.5, max=0.6, min=0.6) == [True, False]
    assert verdicts(0.89, 0.90, max_drop=0.01) == [True]
    assert verdicts(0.889, 0.90, max_drop=0.01) == [False]
    assert verdicts(0.95, 0.90, max_drop=0) == [True]
    assert verdicts(22.0, 20.0, max_relative_increase=0.1) == [True]
    assert verdicts(22.1, 20.0, max_relative_increase=0.1) == [False]


@pytest.mark.parametrize("gate", sorted(GateKind))
def test_nan_and_nothing_pass_no_gate(gate: str) -> None:
    for limit in (1e9, -1e9, math.inf, math.nan):
        assert verdicts(math.nan, 1.0, **{gate: limit}) == [False]
        assert verdicts(None, 1.0, **{gate: limit}) == [False]
    assert verdicts(1.0, 1.0, **{gate: math.nan}) == [False]


def test_a_relative_gate_needs_the_reference() -> None:
    assert verdicts(1.0, None, max_drop=9) == verdicts(1.0, math.nan, max_drop=9) == [False]
    assert verdicts(1.0, 0.0, max_relative_increase=9) == [False]


def test_a_check_without_a_gate_only_tells() -> None:
    (verdict,) = judge(Check("m", "d"), {"values": {"m": 3.0}, "reference_values": {"m": 2.0}})
    assert (verdict.gate, verdict.value, verdict.reference_value, verdict.passed) == (None, 3.0, 2.0, True)
    assert verdicts(math.nan) == [False]


def test_a_verdict_tells_what_was_held_against_the_limit() -> None:
    check = Check("m", "d", max_drop=0.5, max_relative_increase=0.5)
    drop, increase = judge(check, {"values": {"m": 3.0}, "reference_values": {"m": 2.0}})
    assert (drop.gate, drop.measured, drop.limit) == ("max_drop", -1.0, 0.5)
    assert (increase.gate, increase.measured, increase.passed) == ("max_relative_increase", 0.5, True)


def bounded(value: float, interval: list[float] | None, **gates: float) -> list[tuple[bool, bool]]:
    """Of each gate of a check that decides by the bound, whether it is met, and whether it is undecided."""
    result = {"values": {"m": value}, "intervals": {"m": interval} if interval else {}}
    found = judge(Check("m", "d", decide="bound", **gates), result)  # type: ignore[arg-type]
    return [(verdict.passed, verdict.undecided) for verdict in found]


def test_by_the_bound_both_ends_of_the_interval_have_to_agree() -> None:
    assert bounded(0.9, [0.85, 0.94], min=0.8) == [(True, False)]
    assert bounded(0.9, [0.85, 0.94], min=0.88) == bounded(0.9, [0.85, 0.94], min=0.92) == [(False, True)]
    assert bounded(0.9, [0.85, 0.94], min=0.95) == [(False, False)]
    assert bounded(0.1, [0.08, 0.15], max=0.15) == [(True, False)]
    assert bounded(0.1, [0.08, 0.15], max=0.12, min=0.05) == [(False, True), (True, False)]
    assert bounded(0.1, None, max=0.2) == [(False, True)]
    assert bounded(math.nan, [0.0, 1.0], max=0.2) == [(False, False)]


def test_by_the_point_an_interval_decides_nothing_and_is_told() -> None:
    result = {"values": {"m": 0.9}, "intervals": {"m": [0.85, 0.94]}}
    (verdict,) = judge(Check("m", "d", min=0.88), result)
    assert (verdict.passed, verdict.undecided, verdict.interval) == (True, False, (0.85, 0.94))
    (alone,) = judge(Check("m", "d"), result)
    assert alone.interval == (0.85, 0.94)


def test_a_drop_and_an_increase_have_the_intervals_of_the_paired_differences() -> None:
    result: dict[str, Any] = {
        "values": {"m": 0.88},
        "reference_values": {"m": 0.9},
        "intervals": {"m": [0.84, 0.92]},
        "differences": {"m": {"value": -0.02, "interval": [-0.03, -0.01], "method": "-"}},
        "relative_differences": {"m": {"value": -0.022, "interval": [-0.034, -0.011], "method": "-"}},
    }
    check = Check("m", "d", max_drop=0.02, max_relative_increase=0.0, decide="bound")
    drop, increase = judge(check, result)
    assert drop.interval == (0.01, 0.03) and drop.undecided
    assert increase.interval == (-0.034, -0.011) and increase.passed
    assert not Judged(check, (drop, increase), result).passed and Judged(check, (drop, increase), result).undecided
    (wide,) = judge(replace(check, max_drop=0.03, max_relative_increase=None), result)
    assert wide.passed


def test_a_missed_gate_beside_an_undecided_one_is_missed() -> None:
    check = Check("m", "d", max=0.12, min=0.2, decide="bound")
    judged = Judged(check, judge(check, {"values": {"m": 0.1}, "intervals": {"m": [0.08, 0.15]}}), {})
    assert not judged.passed and not judged.undecided
    assert not judged.lets_pass(undecided=True)
    check = replace(check, min=None)
    judged = Judged(check, judge(check, {"values": {"m": 0.1}, "intervals": {"m": [0.08, 0.15]}}), {})
    assert judged.lets_pass(undecided=True) and not judged.lets_pass(undecided=False)


def softmax(logits: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    shifted: np.ndarray[Any, Any] = logits.astype(np.float64) - logits.max(-1, keepdims=True)
    result: np.ndarray[Any, Any] = shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))
    return result


def sample(tokens: int, vocabulary: int, noise: float, seed: int = 0) -> tuple[Any, Any, Any]:
    rng = np.random.default_rng(seed)
    base = rng.normal(0, 4, (tokens, vocabulary)).astype(np.float32)
    other = base + rng.normal(0, noise, base.shape).astype(np.float32)
    return base, other, rng.integers(0, vocabulary, tokens)


def coding_deviation(log_p: Any, log_q: Any) -> Any:
    """The most that coding the reference may make a token's divergence deviate, as `runner.metrics.coded` proves."""
    least = threshold(log_p.shape[1])
    tail = np.where(np.exp(log_p) < least, np.exp(log_p), 0)
    return np.sqrt(least / 62**2 * (tail * (log_p - log_q) ** 2).sum(-1))


@pytest.mark.parametrize(("tokens", "vocabulary"), [(300, 105), (40, 50257)])
@pytest.mark.parametrize("noise", [0.01, 0.3, 3.0])
def test_divergence_agrees_with_plain_float64_arithmetic(tokens: int, vocabulary: int, noise: float) -> None:
    base, other, targets = sample(tokens, vocabulary, noise)
    stored, own = log_probabilities(base, targets, dither())
    found = compare(other, targets, stored)
    log_p, log_q = softmax(base), softmax(other)
    rows = np.arange(tokens)
    expected = (np.exp(log_p) * (log_p - log_q)).sum(-1)
    deviation = coding_deviation(log_p, log_q)
    assert (np.abs(found.divergence - expected) <= 6 * deviation + 1e-6).all()
    assert abs(found.divergence.mean() - expected.mean()) <= 5 * math.sqrt((deviation**2).sum()) / tokens + 1e-6
    np.testing.assert_allclose(found.loss, -log_q[rows, targets], rtol=1e-6, atol=2e-6)
    np.testing.assert_allclose(own.loss, -log_p[rows, targets], rtol=1e-6, atol=2e-6)
    np.testing.assert_array_equal(found.top, other.argmax(-1))
    np.testing.assert_array_equal(own.top, base.argmax(-1))


@pytest.mark.parametrize("scale", [0.0, 1.0, 8.0])
def test_a_model_does_not_diverge_from_itself(scale: float) -> None:
    base, _, targets = sample(50, 20_001, 0)
    stored, own = log_probabilities(base * np.float32(scale), targets, dither())
    found = compare(base * np.float32(scale), targets, stored)
    assert found.divergence.max() == 0
    np.testing.assert_array_equal(found.loss, own.loss)


def test_coding_a_reference_has_no_bias_and_the_variance_that_is_proven() -> None:
    """The same distribution is coded 2,000 times: the mean of its divergence is the exact one."""
    base, other, _ = sample(1, 400, 0.5)
    log_p, log_q = softmax(base), softmax(other)
    exact = float((np.exp(log_p) * (log_p - log_q)).sum())
    draws = 2000
    coded = encode(np.repeat(log_p, draws, 0).astype(np.float32), dither(7))
    found = divergence(np.repeat(log_q, draws, 0).astype(np.float32), coded)
    bound = float(coding_deviation(log_p, log_q)[0])
    assert 0.2 * bound < found.std() <= bound
    assert found.mean() == pytest.approx(exact, abs=4 * bound / math.sqrt(draws))
    assert bound**2 <= threshold(400) / 62**2 * (2 + (log_p - log_q).max()) * exact


@pytest.mark.parametrize("vocabulary", [5, 64, 50257, 151936])
@pytest.mark.parametrize("scale", [0.0, 0.01, 2.0, 30.0])
def test_a_coded_reference_takes_less_than_half_of_float16(vocabulary: int, scale: float) -> None:
    """Whatever the distribution; the most heads has one that lies just above the threshold as often as it can."""
    rng = np.random.default_rng(0)
    flat = np.where(np.arange(vocabulary) < 0.999 / threshold(vocabulary), 0.0, -40.0)
    rows = np.stack([rng.normal(0, scale, vocabulary), flat]).astype(np.float32)
    coded = encode(softmax(rows).astype(np.float32), dither())
    assert coded.counts.max() <= 1 / threshold(vocabulary)
    bytes_a_token = coded.planes.shape[1] + 4 * coded.counts.max() + coded.counts.itemsize + coded.tails.itemsize
    if vocabulary >= 5120:
        assert bytes_a_token <= vocabulary
    np.testing.assert_allclose(divergence(softmax(rows).astype(np.float32), coded), 0, atol=1e-6)


def test_a_coded_reference_on_disk_comes_back_and_does_not_depend_on_how_it_came(tmp_path: Path) -> None:
    base, _, targets = sample(23, 1003, 0)
    whole, _ = log_probabilities(base, targets, dither())
    random = dither()
    with CodedFile(tmp_path, 23) as file:
        for start in range(0, 23, 7):
            part = slice(start, start + 7)
            file.append(log_probabilities(base[part], targets[part], random)[0], 1003)
    with CodedRows(tmp_path) as stored:
        assert stored.vocabulary == 1003
        for part in (slice(0, 5), slice(5, 23), slice(0, 23)):
            for name in ("planes", "heads", "counts", "tails"):
                np.testing.assert_array_equal(getattr(stored[part], name), getattr(whole[part], name))


def test_a_token_that_the_model_rules_out_costs_without_end_and_ruled_out_by_both_nothing() -> None:
    base = np.array([[0, 0, -np.inf], [0, 0, 0], [0, 0, 0]], np.float32)
    other = np.array([[0, 0, -np.inf], [0, 0, -np.inf], [0, np.nan, 0]], np.float32)
    targets = np.zeros(3, np.int64)
    found = compare(other, targets, log_probabilities(base, targets, dither())[0])
    assert found.divergence[0] < 1e-6
    assert found.divergence[1] > 1e4
    assert math.isnan(found.divergence[2])
    infinite = compare(np.full((1, 3), np.inf, np.float32), targets[:1], encode(np.zeros((1, 3), np.float32), dither()))
    assert math.isnan(infinite.divergence[0])


def test_the_statistics() -> None:
    rng = np.random.default_rng(0)
    divergence = rng.exponential(1, 1001).astype(np.float32)
    loss, base = rng.exponential(2, 1001).astype(np.float32), rng.exponential(2, 1001).astype(np.float32)
    top = np.arange(1001, dtype=np.int32)
    empty = np.empty(0, np.float32)
    values, errors = statistics(Scores(loss, top, divergence), Scores(base, np.where(top < 91, 1001, top), empty))
    ordered = np.sort(divergence.astype(np.float64))
    assert values["kl_divergence"] == pytest.approx(ordered.mean())
    assert values["kl_divergence_median"] == ordered[500]
    assert values["kl_divergence_p95"] == pytest.approx(ordered[950])
    assert values["kl_divergence_p99"] == pytest.approx(ordered[990])
    assert values["kl_divergence_p999"] == pytest.approx(ordered[999])
    assert values["kl_divergence_max"] == ordered[-1]
    assert values["same_top_token"] == pytest.approx(910 / 1001)
    assert values["perplexity"] == pytest.approx(math.exp(loss.astype(np.float64).mean()))
    ratio = math.log(values["perplexity"]) - base.astype(np.float64).mean()
    assert values["ln_ppl_ratio"] == pytest.approx(ratio)
    assert errors["ln_ppl_ratio"] == pytest.approx(np.std(loss.astype(np.float64) - base, ddof=1) / math.sqrt(1001))
    assert set(values) == {name for name, info in METRICS.items() if info.family == "divergence"}
    one = Scores(loss[:1], top[:1], divergence[:1])
    assert statistics(one, one)[1] == {name: 0.0 for name in errors}


def tally(values: Any, reference: Any) -> dict[str, float]:
    found = Tally()
    half = len(values) // 2
    for part in (slice(0, half), slice(half, None)):
        found.add(np.asarray(values[part], np.float32), np.asarray(reference[part], np.float32))
    assert found.details()["rows"] == len(values)
    return found.values()


def test_output_error_agrees_with_plain_float64_arithmetic() -> None:
    rng = np.random.default_rng(0)
    r = rng.normal(0, 3, (20, 500))
    y = r + rng.normal(0, 0.3, r.shape)
    found = tally(y, r)
    assert found["relative_l2"] == pytest.approx(np.linalg.norm(y - r) / np.linalg.norm(r), rel=1e-5)
    assert found["sqnr"] == pytest.approx(10 * math.log10((r**2).sum() / ((y - r) ** 2).sum()), rel=1e-5)
    cosines = (y * r).sum(-1) / np.linalg.norm(y, axis=-1) / np.linalg.norm(r, axis=-1)
    assert found["cosine_similarity"] == pytest.approx(cosines.mean(), rel=1e-5)


def test_output_error_at_its_ends() -> None:
    ones, zeros = np.ones((4, 3)), np.zeros((4, 3))
    assert tally(ones, ones) == {"relative_l2": 0, "cosine_similarity": 1, "sqnr": pytest.approx(144.49, abs=0.01)}
    assert tally(zeros, zeros)["cosine_similarity"] == 1
    assert tally(zeros, ones) == {"relative_l2": 1, "cosine_similarity": 0, "sqnr": 0}
    assert math.isnan(tally(ones, zeros)["sqnr"])
    assert math.isnan(tally(ones * np.nan, ones)["relative_l2"])


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_logits_that_are_no_numbers_give_no_figure_even_where_both_models_have_them(bad: float) -> None:
    logits, reference, targets = sample(6, 50, 0.1)
    broken = logits.copy()
    broken[2, 7] = bad
    stored, base = log_probabilities(reference, targets, dither())
    values, _ = statistics(compare(broken, targets, stored), base)
    assert {name for name, value in values.items() if not math.isnan(value)} == set()
    _, nowhere = log_probabilities(broken, targets, dither())
    assert list(nowhere.top < 0) == [row == 2 for row in range(6)]
    assert math.isnan(statistics(compare(broken, targets, stored), nowhere)[0]["same_top_token"])
    broken[2, 7] = -np.inf  # a token that is ruled out
    assert statistics(compare(broken, targets, stored), base)[0]["same_top_token"] >= 5 / 6


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_outputs_that_are_no_numbers_give_no_figure(bad: float) -> None:
    ones = np.ones((4, 3))
    broken = np.where(np.eye(4, 3), bad, ones)
    for values, reference in ((broken, ones), (ones, broken), (broken, broken)):
        assert all(math.isnan(value) for value in tally(values, reference).values())


@pytest.mark.parametrize("scale", [1e-30, 1e30])
def test_output_error_of_very_small_and_very_large_outputs(scale: float) -> None:
    r = np.random.default_rng(0).normal(0, 1, (20, 50))
    found = tally(r * scale * 1.1, r * scale)
    assert found["relative_l2"] == pytest.approx(0.1, rel=1e-5)
    assert found["cosine_similarity"] == pytest.approx(1)


@pytest.mark.parametrize("gate", sorted(GateKind))
@pytest.mark.parametrize("value", [math.inf, -math.inf])
def test_an_infinite_value_or_reference_passes_no_gate(gate: str, value: float) -> None:
    assert verdicts(value, 1.0, **{gate: 1e9 if gate != "min" else -1e9}) == [False]
    if gate not in LIMITS:
        assert verdicts(1.0, value, **{gate: 1e9}) == [False]


def test_rows_on_disk_grow_and_come_back(tmp_path: Path) -> None:
    rows = np.arange(30, dtype=np.float32).reshape(10, 3)
    with RowFile(tmp_path / "a.npy", np.float16, 10) as file:
        file.append(rows[:4])
        file.append(rows[4:])
        with pytest.raises(ValueError, match="rows of 2 after rows of 3"):
            file.append(rows[:, :2])
    with Rows(tmp_path / "a.npy") as found:
        assert (found.dtype, found.shape) == (np.float16, (10, 3))
        for part in (slice(0, 10), slice(2, 3), slice(4, 99), slice(7, 2), slice(10, 11)):
            np.testing.assert_array_equal(found[part], rows[part])
        os.truncate(tmp_path / "a.npy", found[0:9].nbytes)
        with pytest.raises(OSError, match="cut off"):
            found[8:10]
    with RowFile(tmp_path / "a.npy", np.float16) as file:
        file.append(rows)
    np.testing.assert_array_equal(np.load(tmp_path / "a.npy", allow_pickle=False), rows)
    save(tmp_path, {"a": [1, "ä"]})
    assert load(tmp_path) == {"a": [1, "ä"]}


def test_a_disk_without_room_is_found_before_the_rows_are_written(tmp_path: Path) -> None:
    with RowFile(tmp_path / "a.npy", np.float32, 10**15) as file, pytest.raises(OSError, match="need") as caught:
        file.append(np.zeros((1, 3)))
    assert caught.value.errno == errno.ENOSPC
