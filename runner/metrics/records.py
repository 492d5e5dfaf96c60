"""What an evaluation gives, and what manifests and the records of sweeps hold of a check."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NotRequired, TypedDict

Value = float | bool | str | None


class Details(TypedDict):
    """What else an evaluation found; families add their own."""

    standard_errors: NotRequired[Mapping[str, float | None]]


class GateRecord(TypedDict):
    """A gate's answer; without a gate, `gate` and `limit` are None. `measured` is None where there is no number."""

    gate: str | None
    limit: float | None
    measured: float | None
    passed: bool


class CheckRecord(TypedDict):
    """A check with the verdict of each of its gates, and all that was measured."""

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
