"""What an evaluation gives, and what manifests and the records of sweeps hold of a check."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NotRequired, TypedDict

Value = float | bool | str | None


class Details(TypedDict):
    """What else an evaluation found; families add their own. `confusion` has a row for each label, a column for each
    class that was given."""

    standard_errors: NotRequired[Mapping[str, float | None]]
    confusion: NotRequired[list[list[int]]]


class GateRecord(TypedDict):
    """A gate's answer; without a gate, `gate` and `limit` are None. `measured` is None where there is no number."""

    gate: str | None
    limit: float | None
    measured: float | None
    passed: bool
    interval: NotRequired[list[float] | None]
    undecided: NotRequired[bool]


class Difference(TypedDict):
    """How model and reference differ on the same rows; `interval` is the 95 % one, None where there is none."""

    value: float | None
    interval: list[float] | None
    method: str


class FlippedRow(TypedDict):
    """A row, counted from 1, that is worse with the model than with the reference, and its scores."""

    row: int
    model: float | None
    reference: float | None


class Flipped(TypedDict):
    """How many rows are worse and better than with the reference, and the worst of them."""

    worse: int
    better: int
    rows: list[FlippedRow]


class NoiseWay(TypedDict):
    """What the reference measured against itself in one way, by the stage of a key; `noise` is the distance of the two
    values, or where the metric is a distance itself the value."""

    key: str
    value: float | None
    reference_value: float | None
    noise: float | None


class NoiseRecord(TypedDict):
    """A noise floor: the worst of the ways that should change nothing. `kind` says what it is of, the metric's `value`
    or its `difference` from the reference's; `within` whether the model is no further away."""

    kind: str
    floor: float | None
    within: bool
    ways: Mapping[str, NoiseWay]


class CheckRecord(TypedDict):
    """A check with the verdict of each of its gates, and all that was measured; `key` is that of the stage."""

    metric: str
    dataset: str
    passed: bool
    gates: list[GateRecord]
    value: float | None
    reference_value: float | None
    values: Mapping[str, Value]
    reference_values: Mapping[str, Value]
    protocol: Mapping[str, object]
    details: Details
    decide: NotRequired[str]
    better: NotRequired[str]
    rows: NotRequired[int | None]
    seed: NotRequired[int | None]
    intervals: NotRequired[Mapping[str, list[float]]]
    reference_intervals: NotRequired[Mapping[str, list[float]]]
    differences: NotRequired[Mapping[str, Difference]]
    relative_differences: NotRequired[Mapping[str, Difference]]
    methods: NotRequired[Mapping[str, str]]
    flipped: NotRequired[Flipped | None]
    key: NotRequired[str]
    noise: NotRequired[NoiseRecord | None]
