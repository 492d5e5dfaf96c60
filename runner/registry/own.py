"""A metric that a function of the user's own file measures: declared by the recipe alone, without a look at the file.

All places that need the declaration of a check's metric ask `metric_of` and `family_of`, for one of ours as for these.
"""

from __future__ import annotations

import json
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from runner.registry import metrics
from runner.registry.gates import Better
from runner.registry.metric_settings import FED_BY
from runner.registry.metrics import METRICS, Family, Gives, Metric

GIVES: tuple[Gives, ...] = tuple(one for one in typing.get_args(Gives) if one != "task scores")
"""What can be kept for it: anything but what a task file of lm-evaluation-harness measures by itself."""
Takes = Literal["predictions", "model"]


@dataclass(frozen=True)
class Own:
    """What a recipe says of such a metric.

    Attributes:
        name: as checks, reports and `select` call it: that of the function, unless the recipe states another.
        path: of the Python file; in a stage's parameters its name alone.
        function: that measures.
        better: which direction is better.
        takes: what it is given beside the rows: what the model gave for each, or the model itself.
        rows: what is kept of the model for each row; None for what its task gives for the dataset.
        needs: roles of the dataset's columns that it is given; None for all but images and sounds.
        arguments: JSON of the keyword arguments that it is called with.
        imports: distributions that the file imports from, with what they require; filled in by the plan.
    """

    name: str
    path: str
    function: str
    better: Better
    takes: Takes = "predictions"
    rows: Gives | None = None
    needs: tuple[str, ...] | None = None
    arguments: str = "{}"
    imports: tuple[str, ...] = ()

    @property
    def file(self) -> Path:
        """The Python file."""
        return Path(self.path)


CODE = "metric"
"""The role of the file among what a stage reads."""
_STATED = ("path", "function", "better")


class Measuring(Protocol):
    """A check, or accuracy control."""

    @property
    def metric(self) -> str: ...

    @property
    def own(self) -> Own | None: ...


def own_of(stated: object) -> Own | None:
    """The metric of a mapping; None for the name of one that is declared, and for a mapping that isn't valid."""
    if not isinstance(stated, Mapping) or not all(isinstance(stated.get(key), str) for key in _STATED):
        return None
    if stated["better"] not in [*Better] or stated.get("takes", "predictions") not in typing.get_args(Takes):
        return None
    needs = stated.get("needs")
    return Own(
        str(stated.get("name", stated["function"])),
        stated["path"],
        stated["function"],
        Better(stated["better"]),
        stated.get("takes", "predictions"),
        stated.get("rows"),
        None if needs is None else tuple(needs),
        json.dumps(stated.get("params", {}), sort_keys=True),
    )


def metric_of(measuring: Measuring) -> Metric:
    """The metric of a check or of accuracy control."""
    return family_of(measuring).metrics[0] if measuring.own else METRICS[measuring.metric]


def family_of(measuring: Measuring) -> Family:
    """The family that measures it."""
    return declared(measuring.own) if measuring.own else metrics.family_of(measuring.metric)


def stated(metric: object) -> tuple[Metric, Family] | None:
    """What a recipe states as a metric, with what measures it; None for nothing that is known."""
    if own := own_of(metric):
        family = declared(own)
        return family.metrics[0], family
    return (METRICS[metric], metrics.family_of(metric)) if isinstance(metric, str) and metric in METRICS else None


def declared(own: Own) -> Family:
    """The declaration that a recipe makes; what measures is `runner.metrics.own`."""
    settings = {name: schema for fed in FED_BY.values() for name, schema in fed.items()}
    data, pure = frozenset(own.needs or ()), own.takes == "predictions"
    metric = Metric(own.name, own.better, own_value=True, controls=pure, family=own.name, data=data)
    return Family(
        own.name,
        f"{own.function} of {own.file.name}",
        metrics=(metric,),
        data=data,
        settings=settings,
        libraries=("numpy", "scipy"),
        module="runner.metrics.own",
        function=_elsewhere,
        rows=(own.rows,) if own.rows else GIVES if pure else (),
        targets=own.needs or (),
    )


def _elsewhere() -> None:
    """Stands for the function, which is looked at in a stage of its own."""
    raise NotImplementedError
