"""The metrics that a check can name, by family; a family is one module, imported when it is used.

A new metric is one line here; a new family one more, and its module.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, cast

if TYPE_CHECKING:
    from runner.recipe.types import Dataset

Progress = Callable[[int, int], None]

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
        data: the kinds of data that it works on, any of them; `runner.data.kinds` tells what a dataset gives.
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


class Family(Protocol):
    """What a family's module has.

    `model` is a complete model folder. `params` are a check's settings, `runtime` the OpenVINO properties.
    `progress(done, total)` is called now and then, and at the end with done == total.
    """

    REVISION: int
    """Goes up when the family's results change."""

    LIBRARIES: tuple[str, ...]
    """Distributions whose versions shape the results."""

    NEEDS_REFERENCE: bool
    """Whether `evaluate` compares with stored outputs. With False there is no `reference` function: a reference value
    is what `evaluate` measures on the uncompressed model, and `reference` is None."""

    def reference(
        self,
        model: Path,
        dataset: Dataset,
        params: Mapping[str, Any],
        runtime: Mapping[str, Any],
        out: Path,
        progress: Progress,
    ) -> None:
        """Store what `evaluate` compares with, from the uncompressed model, in the empty folder `out`.

        Raises:
            SourceError: the dataset or the parameters don't fit the model.
            RecipeError: a property of `runtime` that OpenVINO refuses.
            OSError: the disk is full; found before the work where the size is known.
        """

    def evaluate(
        self,
        model: Path,
        dataset: Dataset,
        params: Mapping[str, Any],
        runtime: Mapping[str, Any],
        reference: Path | None,
        progress: Progress,
    ) -> dict[str, Any]:
        """Measure all metrics of the family.

        Returns:
            {"values": {metric: number}, "reference_values": {metric: number}, "protocol": {…}, "details": {…}}, plain
            data for JSON. `reference_values` has those of the uncompressed model that its stored outputs tell.

        Raises:
            as `reference`.
        """


_CONTEXT = frozenset({"context_length", "stride"})
_OWN_VALUE = frozenset({"perplexity", "exact_match", "accuracy"})
_DISTANCE = {"lower": "max_relative_increase", "higher": "max_drop"}
_INFINITE = float("inf")
_FROM_0 = (0.0, _INFINITE)
_SHARE = (0.0, 1.0)

_FAMILIES: Mapping[str, tuple[frozenset[str], frozenset[str]]] = {
    "divergence": (_CONTEXT, frozenset({"text"})),
    "exact_match": (frozenset({"max_new_tokens"}), frozenset({"pairs"})),
    "classification": (frozenset(), frozenset({"labels"})),
    "output_error": (frozenset({"context_length"}), frozenset({"text", "arrays"})),
}


def _metric(
    family: str, name: str, better: Literal["lower", "higher"], span: tuple[float, float], unit: str = ""
) -> MetricInfo:
    params, data = _FAMILIES[family]
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


def family(name: str) -> Family:
    """The module of a family.

    Raises:
        KeyError: there is no such family.
    """
    if name not in _FAMILIES:
        raise KeyError(name)
    return cast(Family, importlib.import_module(f"runner.metrics.{name}"))
