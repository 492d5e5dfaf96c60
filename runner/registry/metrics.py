"""The metrics that a check can name, by family: a family's metrics come out of one pass of a model over a dataset."""

from __future__ import annotations

import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from runner.registry.declared import Declaration, Declared
from runner.registry.gates import DISTANCE, LIMITS, Better, GateKind
from runner.registry.metric_settings import ENCODED, ENCODER, ENCODER_SCHEMA, Encodes
from runner.registry.metric_settings import FED_BY as FED_BY
from runner.registry.metric_settings import MAX_NEW_TOKENS as MAX_NEW_TOKENS
from runner.registry.metric_settings import WINDOWS as WINDOWS

Gives = Literal[
    "class scores", "token classes", "spans", "embeddings", "texts", "outputs", "class maps", "depth maps", "boxes",
    "log-likelihoods", "masked tokens", "masked scores", "task scores", "images",
]  # fmt: skip
"""What a model gives for each row of a dataset; a task says which of them its models give."""


@dataclass(frozen=True)
class OfSums:
    """An aggregate that follows from the sums of the statistics' columns: `function(sums [..., k]) -> [...]`.

    Its bootstrap copies no rows, and calls the function once for all draws.
    """

    function: Callable[..., object]


Aggregate = Literal["mean", "proportion", "ratio", "root mean"] | OfSums | Callable[..., object]
"""What makes one number of statistics [rows, k].

`mean` of column 0; `proportion`, the mean of 0 and 1; `ratio`, the sum of column 0 / that of column 1; `root mean`,
the square root of the mean of column 0; a function of the statistics of some rows, [n, k] -> a number, NaN for none.
"""

INFINITE = float("inf")
FROM_0 = (0.0, INFINITE)
SHARE = (0.0, 1.0)
ANY = (-INFINITE, INFINITE)


@dataclass(frozen=True)
class Metric:
    """What a recipe may say about a metric.

    Attributes:
        name: as checks name it.
        better: which direction is better.
        span: no value is below the first, or above the second.
        unit: of the value; "" for a share or a ratio.
        own_value: whether the uncompressed model has a value of its own, so that a gate can be on the distance from it;
            else the metric is a distance itself.
        controls: whether accuracy control can search by it.
        bounded: whether it has a 95 % interval, by which a check can decide.
        family: the family that measures it; filled in by that.
        data: the kinds of data that it works on, any of them, as `runner.recipe.datasets.kinds` tells them.
        params: the settings that a check may give.
    """

    name: str
    better: Better
    span: tuple[float, float] = ANY
    unit: str = ""
    own_value: bool = False
    controls: bool = False
    bounded: bool = True
    family: str = ""
    data: frozenset[str] = frozenset()
    params: frozenset[str] = frozenset()

    @property
    def least(self) -> float:
        """No value is below."""
        return self.span[0]

    @property
    def most(self) -> float:
        """No value is above."""
        return self.span[1]

    @property
    def gates(self) -> frozenset[GateKind]:
        """The gates that it takes."""
        return LIMITS | {DISTANCE[self.better]} if self.own_value else LIMITS


@dataclass(frozen=True)
class Family(Declaration):
    """A way of measuring, and the metrics that come out of it.

    Attributes:
        metrics: what one pass gives.
        data: the kinds of data that it works on, any of them.
        needs: of the dataset and the recipe, in words.
        settings: name -> JSON Schema, of those that a check may give.
        of_generators: whether it is of models that predict the next token.
        needs_reference: whether it compares with stored outputs of the uncompressed model.
        heeds_noise: whether `evaluate` does as the setting `runner.registry.noise.NOISE` says.
        revision: goes up when the same pass gives other results.
        libraries: distributions whose versions shape the results.
        module: dotted name of the module that measures, as `runner.metrics.Module` says; or
        function: what `metric` decorates, and
        rows: what it is given, any of these.
        targets: roles of the dataset's columns that it is given too.
        compares: whether it is given what the reference gave for the same rows.
        aggregate: what makes one number of its statistics.
        details: what else follows from them, `function(statistics) -> mapping`.
        score: one number a row of them, `function(statistics) -> [rows]`, by which rows are better or worse.
        source: whose code or definition it is.
        extra: of ovrun, which brings its libraries.
        tasks: names of task families for whose models it is; empty for any that give the rows.
        encoder: what the model that a check names by `encoder` makes embeddings of; empty for metrics without one.
    """

    metrics: tuple[Metric, ...] = ()
    data: frozenset[str] = frozenset()
    needs: str = ""
    settings: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    of_generators: bool = False
    needs_reference: bool = False
    heeds_noise: bool = False
    revision: int = 1
    libraries: tuple[str, ...] = ()
    module: str = ""
    function: Callable[..., object] | None = None
    rows: tuple[Gives, ...] = ()
    targets: tuple[str, ...] = ()
    compares: bool = False
    aggregate: Aggregate = "mean"
    details: Callable[..., Mapping[str, object]] | None = None
    score: Callable[..., object] | None = None
    source: str = ""
    extra: str = ""
    tasks: tuple[str, ...] = ()
    encoder: Encodes | None = None

    @property
    def versions(self) -> tuple[str, ...]:
        """All distributions whose versions shape the results, the one that declares it among them."""
        return (*self.libraries, *([self.distribution] if self.distribution else []))

    @property
    def function_settings(self) -> frozenset[str]:
        """Those that the function takes; others say how a model is asked for its rows."""
        return frozenset(self.settings) - {name for fed in FED_BY.values() for name in fed} - {ENCODER}

    @property
    def measured_on(self) -> tuple[str, ...]:
        """What the function is given: the model's rows, or the embeddings that an encoder made of them."""
        return (ENCODED,) if self.encoder else self.rows


_TASK_FILE = "a task file of lm-evaluation-harness, which says what a model is asked"


def metric(
    name: str,
    *,
    better: Literal["lower", "higher"],
    rows: Gives | tuple[Gives, ...],
    help: str,
    needs: tuple[str, ...] = (),
    compares: bool = False,
    aggregate: Aggregate = "mean",
    details: Callable[..., Mapping[str, object]] | None = None,
    score: Callable[..., object] | None = None,
    span: tuple[float, float] = SHARE,
    unit: str = "",
    source: str = "",
    libraries: tuple[str, ...] = (),
    extra: str = "",
    tasks: tuple[str, ...] = (),
    encoder: Encodes | None = None,
    revision: int = 1,
) -> Callable[[Callable[..., object]], Family]:
    """Declare a metric by the function that gives statistics of each row, of which value and interval follow.

    The function is `function(kept, targets)`, or `function(kept, reference, targets)` with `compares`, and gives an
    array [rows] or [rows, k] of float64. NaN in a row is no number, and with it the check fails. `kept` and `reference`
    are `runner.metrics.kept.Kept`: what the two models gave. `targets` maps each role of `needs` to a list with the
    dataset's value for each row. Keyword-only parameters are settings of a check, with their types and limits:
    `k: Annotated[int, Minimum(1)] = 5`.

    Args:
        rows: what it takes of a model, any of these; the first that the model gives for the dataset counts.
        needs: roles of the dataset's columns.
        compares: whether it compares with the reference's rows; then the reference has no value of its own.
        aggregate: what makes one number of the statistics, such as "ratio" or a function of them.
        details: `function(statistics) -> mapping` of plain data: what else they tell.
        score: `function(statistics) -> [rows]`, by which rows are better or worse; for aggregates that are functions.
        span: no value is below the first number, or above the second.
        source: whose code or definition it is.
        libraries: distributions whose versions shape the numbers.
        extra: the extra of ovrun that brings them.
        tasks: names of task families that it is for; empty for all whose models give the rows.
        encoder: what a check's encoder makes embeddings of; `kept` and `reference` hold these then.
        revision: raise it when the function gives other numbers for the same rows.
    """

    def declare(function: Callable[..., object]) -> Family:
        from runner.registry.settings import schemas  # imports inspect, of which nobody else has a need

        taken = (rows,) if isinstance(rows, str) else rows
        own = schemas(function)
        fed = {name: schema for one in taken for name, schema in FED_BY.get(one, {}).items()}
        told = f"a dataset with {' and '.join(f'`{role}`' for role in needs)}" if needs else "any dataset"
        return Family(
            name,
            help,
            metrics=(Metric(name, Better(better), span, unit, own_value=not compares, controls=True),),
            data=frozenset(needs),
            needs=_TASK_FILE if "task scores" in taken else f"{told} beside what feeds the model",
            settings={**own, **fed, **({ENCODER: ENCODER_SCHEMA} if encoder else {})},
            revision=revision,
            libraries=("numpy", "scipy", *libraries),
            module=function.__module__,
            function=function,
            rows=taken,
            targets=needs,
            compares=compares,
            aggregate=aggregate,
            details=details,
            score=score,
            source=source,
            extra=extra,
            tasks=tasks,
            encoder=encoder,
        )

    return declare


FAMILIES: Declared[Family] = Declared(Family, "runner.metrics.families", "ovrun.metrics")


class _Metrics(typing.Mapping[str, Metric]):
    """Name -> metric, in the order of the families."""

    def __getitem__(self, name: str) -> Metric:
        return self._all()[name]

    def __iter__(self) -> typing.Iterator[str]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._all())

    def _all(self) -> dict[str, Metric]:
        found = vars(self).get("found")
        if found is None:
            found = {}
            for one in FAMILIES.values():
                params = frozenset(one.settings)
                for known in one.metrics:
                    found[known.name] = replace(known, family=one.name, data=one.data, params=params)
            self.found = found
        return found


METRICS = _Metrics()


def family_of(metric: str) -> Family:
    """The family that measures a metric.

    Raises:
        KeyError: there is no such metric.
    """
    return FAMILIES[METRICS[metric].family]


def settings(info: Metric, given: Mapping[str, object]) -> dict[str, object]:
    """A check's settings in one form: a default that is stated is as one that is not."""
    found = {name: value for name, value in given.items() if value is not None}
    for name, schema in FAMILIES[info.family].settings.items():
        if "default" in schema:
            found.setdefault(name, schema["default"])
    if "stride" in found and found["stride"] == found.get("context_length"):
        del found["stride"]
    return found
