"""Token by token: Kullback-Leibler divergence, loss and top token, from logits; and their statistics.

The set is that of llama.cpp's `perplexity --kl-divergence`. Arithmetic is in float32, a few rows at a time so that
they stay in the processor's cache; sums over tokens are in float64.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from runner.base.values import Array
from runner.metrics.coded import Coded, divergence, encode, join

if TYPE_CHECKING:
    from numpy.typing import NDArray

_BLOCK = 1 << 16
_LEAST = np.float32(-6e4)
"""The least log-probability, so that a token that is ruled out costs much and not NaN; its exponential is 0."""


@dataclass(frozen=True)
class Scores:
    """What each scored token got; all of shape [tokens].

    Attributes:
        loss: -ln of the probability that the model gave the token, in nats.
        top: the model's most probable token; -1 where its logits aren't numbers.
        divergence: KL(reference || model) in nats; empty where there is nothing to compare with.
    """

    loss: NDArray[np.float32]
    top: NDArray[np.int32]
    divergence: NDArray[np.float32]

    @staticmethod
    def join(parts: list[Scores]) -> Scores:
        """All parts in order."""
        return Scores(
            np.concatenate([part.loss for part in parts]),
            np.concatenate([part.top for part in parts]),
            np.concatenate([part.divergence for part in parts]),
        )


def log_probabilities(
    logits: NDArray[np.float32], targets: NDArray[np.int64], random: np.random.SFC64
) -> tuple[Coded, Scores]:
    """The reference's side.

    Args:
        logits: shape [tokens, vocabulary].
        targets: the tokens that came, shape [tokens].
        random: of `coded.dither`; the same for all tokens of a reference.

    Returns:
        the distributions, coded, and the scores without divergence.
    """
    parts = []
    scores = Scores(np.empty(len(logits), np.float32), _top(logits), np.empty(0, np.float32))
    for rows in _blocks(*logits.shape):
        shifted, norm = _shifted(logits[rows])
        scores.loss[rows] = norm - _at(shifted, targets[rows])
        parts.append(encode(_normalized(shifted, norm), random))
    return join(parts), scores


def compare(logits: NDArray[np.float32], targets: NDArray[np.int64], reference: Coded) -> Scores:
    """The optimized model's side, against the reference's distributions.

    With p the reference's distribution and q the softmax of the logits: sum over the vocabulary of p ln(p / q), at
    least 0.

    Args:
        logits: shape [tokens, vocabulary].
        targets: the tokens that came, shape [tokens].
        reference: of the same tokens.
    """
    count = len(logits)
    scores = Scores(np.empty(count, np.float32), _top(logits), np.empty(count, np.float32))
    for rows in _blocks(*logits.shape):
        shifted, norm = _shifted(logits[rows])
        scores.loss[rows] = norm - _at(shifted, targets[rows])
        scores.divergence[rows] = divergence(_normalized(shifted, norm), reference[rows])
    return scores


def _normalized(shifted: NDArray[np.float32], norm: NDArray[np.float32]) -> NDArray[np.float32]:
    """Log-probabilities, in place."""
    shifted -= norm[:, None]
    return np.maximum(shifted, _LEAST, out=shifted)


def _blocks(rows: int, size: int) -> list[slice]:
    step = max(1, _BLOCK // size)
    return [slice(start, min(start + step, rows)) for start in range(0, rows, step)]


def _shifted(logits: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Logits minus each row's maximum, and the logarithm of the sum of their exponentials."""
    with np.errstate(invalid="ignore"):  # infinite logits end as NaN, and NaN passes no gate
        shifted = np.subtract(logits, logits.max(-1, keepdims=True), dtype=np.float32)
    return shifted, np.log(np.exp(shifted).sum(-1))


def _top(logits: NDArray[np.float32]) -> NDArray[np.int32]:
    """The most probable token; -1 where a logit is NaN or infinite, -inf apart: it rules a token out."""
    top = logits.argmax(-1)
    highest = np.take_along_axis(logits, top[:, None], -1)[:, 0]
    return np.where(np.isfinite(highest), top, -1).astype(np.int32)


def same_top(model: NDArray[np.int32], reference: NDArray[np.int32]) -> NDArray[np.float64]:
    """1 where both models have the same most probable token, 0 where not, NaN where one has none."""
    known = (model >= 0) & (reference >= 0)
    return np.where(known, model == reference, np.nan)


def _at(rows: NDArray[np.float32], targets: NDArray[np.int64]) -> NDArray[np.float32]:
    return np.take_along_axis(rows, targets[:, None], -1)[:, 0]


def statistics(model: Scores, reference: Scores) -> tuple[dict[str, float], dict[str, float]]:
    """The metrics by name, and the standard errors of those that are means (of the perplexity by the delta method)."""
    divergence = model.divergence.astype(np.float64)
    change = model.loss.astype(np.float64) - reference.loss
    same = same_top(model.top, reference.top)
    median, p95, p99, p999 = np.percentile(divergence, [50, 95, 99, 99.9])
    values = {
        "kl_divergence": divergence.mean(),
        "kl_divergence_median": median,
        "kl_divergence_p95": p95,
        "kl_divergence_p99": p99,
        "kl_divergence_p999": p999,
        "kl_divergence_max": divergence.max(),
        "same_top_token": same.mean(),
        "ln_ppl_ratio": change.mean(),
        "perplexity": perplexity(model),
    }
    errors = {
        "kl_divergence": standard_error(divergence),
        "same_top_token": standard_error(same),
        "ln_ppl_ratio": standard_error(change),
        "perplexity": perplexity(model) * standard_error(model.loss.astype(np.float64)),
    }
    return {name: float(value) for name, value in values.items()}, errors


def perplexity(scores: Scores) -> float:
    """exp of the mean loss."""
    return float(np.exp(scores.loss.mean(dtype=np.float64)))


def standard_error(values: Array) -> float:
    """Of the mean, from the sample's standard deviation; 0 for a single value."""
    return float(values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else 0.0
