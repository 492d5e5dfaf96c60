"""The metrics that a check can name: what a recipe may say about each. A metric's family measures it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

LIMITS = frozenset({"max", "min"})
RELATIVE = frozenset({"max_drop", "max_relative_increase"})


@dataclass(frozen=True)
class MetricInfo:
    """What a recipe may say about a metric.

    Attributes:
        name: as checks name it.
        family: the module that measures it.
        better: which direction is better.
        unit: of the value; "" for a share or a ratio.
        gates: the gates that it takes; those that compare with the reference only where it has a value there.
        params: the settings that a check may give.
        data: the kinds of data that it works on, any of them, as `runner.recipe.datasets.kinds` tells them.
        least: no value is below.
        most: no value is above.
    """

    name: str
    family: str
    better: Literal["lower", "higher"]
    unit: str
    gates: frozenset[str]
    params: frozenset[str]
    data: frozenset[str]
    least: float
    most: float


_CONTEXT = frozenset({"context_length", "stride"})
_OWN_VALUE = frozenset({"perplexity", "exact_match", "accuracy"})
_DISTANCE = {"lower": "max_relative_increase", "higher": "max_drop"}
_INFINITE = float("inf")
_FROM_0 = (0.0, _INFINITE)
_SHARE = (0.0, 1.0)

FAMILIES: Mapping[str, tuple[frozenset[str], frozenset[str]]] = {
    "divergence": (_CONTEXT, frozenset({"text"})),
    "exact_match": (frozenset({"max_new_tokens"}), frozenset({"pairs"})),
    "classification": (frozenset(), frozenset({"labels"})),
    "output_error": (frozenset({"context_length"}), frozenset({"text", "arrays"})),
}


def _metric(
    family: str, name: str, better: Literal["lower", "higher"], span: tuple[float, float], unit: str = ""
) -> MetricInfo:
    params, data = FAMILIES[family]
    gates = LIMITS | {_DISTANCE[better]} if name in _OWN_VALUE else LIMITS
    return MetricInfo(name, family, better, unit, gates, params, data, *span)


METRICS: Mapping[str, MetricInfo] = {
    info.name: info
    for info in (
        _metric("divergence", "kl_divergence", "lower", _FROM_0, "nats"),
        _metric("divergence", "kl_divergence_median", "lower", _FROM_0, "nats"),
        _metric("divergence", "kl_divergence_p95", "lower", _FROM_0, "nats"),
        _metric("divergence", "kl_divergence_p99", "lower", _FROM_0, "nats"),
        _metric("divergence", "kl_divergence_p999", "lower", _FROM_0, "nats"),
        _metric("divergence", "kl_divergence_max", "lower", _FROM_0, "nats"),
        _metric("divergence", "same_top_token", "higher", _SHARE),
        _metric("divergence", "ln_ppl_ratio", "lower", (-_INFINITE, _INFINITE)),
        _metric("divergence", "perplexity", "lower", (1.0, _INFINITE)),
        _metric("exact_match", "exact_match", "higher", _SHARE),
        _metric("classification", "accuracy", "higher", _SHARE),
        _metric("output_error", "relative_l2", "lower", _FROM_0),
        _metric("output_error", "cosine_similarity", "higher", (-1.0, 1.0)),
        _metric("output_error", "sqnr", "higher", (-_INFINITE, 144.5), "dB"),
    )
}


_MAX_NEW_TOKENS = 64


def settings(info: MetricInfo, given: Mapping[str, Any]) -> dict[str, Any]:
    """A check's settings in one form: a default that is stated is as one that is not."""
    found = {name: value for name, value in given.items() if value is not None}
    if "max_new_tokens" in info.params:
        found.setdefault("max_new_tokens", _MAX_NEW_TOKENS)
    if "stride" in found and found["stride"] == found.get("context_length"):
        del found["stride"]
    return found
