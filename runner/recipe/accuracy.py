"""The section `accuracy` of a recipe."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Literal

from runner.base.values import listing, made, mapping, text
from runner.registry.gates import GateKind
from runner.registry.own import Own, own_of

RUNTIME: Mapping[str, object] = {
    "INFERENCE_PRECISION_HINT": "f32",
    "KV_CACHE_PRECISION": "f32",
    "DYNAMIC_QUANTIZATION_GROUP_SIZE": 0,
}
"""OpenVINO properties of checks, where the recipe doesn't state its own: nothing is rounded on the way."""
CONVERTED = "converted"
ORIGINAL = "original"
"""What `accuracy.reference` says of the model before compression, and of the one before conversion."""
_GATES = frozenset({"metric", "dataset", "decide", *GateKind})


@dataclass(frozen=True)
class Check:
    """One gate on one metric: `max`/`min` on its value, the others on its distance from the reference's value.

    `max_drop` is reference - value; `max_relative_increase` is value / reference - 1.
    `params` are the metric's own settings, such as `context_length`, `stride`, `max_new_tokens`. `decide` says what is
    held against the gates: the measured number, or both ends of its 95 % interval. `own` is what the recipe says of a
    metric of its own, whose name `metric` is then.
    """

    metric: str
    dataset: str
    max: float | None = None
    min: float | None = None
    max_drop: float | None = None
    max_relative_increase: float | None = None
    params: Mapping[str, object] = field(default_factory=dict)
    decide: Literal["point", "bound"] = "point"
    own: Own | None = None


@dataclass(frozen=True)
class Reference:
    """What the optimized model is compared with, where that is not the converted one.

    Attributes:
        original: the model as it was before conversion, in the library that it is of; or
        version: a published version, `NAME/N`; or
        path: an IR, or a folder with one.
    """

    version: str | None = None
    path: Path | None = None
    original: bool = False

    @property
    def name(self) -> str:
        """What a person calls it."""
        return self.version or "/".join(self.path.parts[-2:] if self.path else ())


@dataclass(frozen=True)
class Accuracy:
    """The checks of a recipe, and the OpenVINO properties that they run with; those left to OpenVINO are not there.

    `reference` is None where models are compared with the converted one. `noise` says that noise floors are
    measured too.
    """

    checks: tuple[Check, ...] = ()
    runtime: Mapping[str, object] = field(default_factory=dict)
    reference: Reference | None = None
    noise: bool = False


def accuracy_of(given: object) -> Accuracy:
    """The section from valid data that is complete."""
    if given is None:
        return Accuracy(runtime=dict(RUNTIME))
    data = mapping(given)
    checks = tuple(_check(mapping(check)) for check in listing(data["checks"]))
    stated = {
        "checks": checks,
        "runtime": _runtime(mapping(data["runtime"])),
        "reference": _reference(data["reference"]),
    }
    return made(Accuracy, {**data, **stated})


def _reference(given: object) -> Reference | None:
    if isinstance(given, dict):
        return Reference(path=Path(text(given["path"])))
    if given == ORIGINAL:
        return Reference(original=True)
    return None if given == CONVERTED else Reference(version=text(given))


def _runtime(data: Mapping[str, object]) -> dict[str, object]:
    """OpenVINO properties, whole numbers as integers; `default` leaves one to OpenVINO."""
    stated = {name: value for name, value in data.items() if value != "default"}
    return {
        name: int(value) if isinstance(value, float) and value.is_integer() else value for name, value in stated.items()
    }


def _check(data: Mapping[str, object]) -> Check:
    known = {one.name for one in fields(Check)} & _GATES
    params = {key: integral(value) for key, value in data.items() if key not in known}
    stated = with_own({key: value for key, value in data.items() if key in known})
    return made(Check, {**stated, "params": params})


def with_own(data: Mapping[str, object]) -> dict[str, object]:
    """A check or accuracy control whose metric is a name, with what the recipe says of one of its own."""
    own = own_of(data["metric"])
    return {**data, "metric": own.name, "own": own} if own else {**data}


def integral(value: object) -> object:
    """A number that is whole as an integer; another value as it is."""
    return int(value) if isinstance(value, int) or (isinstance(value, float) and value.is_integer()) else value
