"""The section `conversion` of a recipe."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from runner.base.values import listing, made, mapping, numeric, section, text, whole

CONVERSION_TOLERANCE: Mapping[str, float] = {"fp32": 1e-3, "fp16": 2e-2}
"""Relative L2 distance of a converted model's outputs from its original's, by precision: where a recipe states none.

Measured on whole conversions: at most 1e-6 in fp32, and 2e-4 to 3e-3 in fp16, whose weights are rounded.
"""
SMALL_BYTES = 1_000_000_000
"""Of a model in 32 bits that is compared without being asked for: above, its conversion would take twice the time and
memory."""
CHANNELS: Mapping[str, int] = {"RGB": 3, "BGR": 3, "RGBX": 4, "BGRX": 4, "GRAY": 1}
"""How many channels a color format has."""

Span = tuple[int, int | None]
"""The least and the most that a size may be; None where there is no most."""
ANY: Span = (0, None)
Shape = tuple[Span, ...]


@dataclass(frozen=True)
class ConversionCheck:
    """Whether the converted model is held against its original, `large` ones too, and how far its outputs may be."""

    wanted: bool = True
    max_relative_l2: float | None = None
    large: bool = False

    @property
    def of(self) -> Literal["small", "any"] | None:
        """Which models are compared."""
        return ("any" if self.large else "small") if self.wanted else None


@dataclass(frozen=True)
class Resize:
    """How images get another height and width.

    Attributes:
        source: height and width of the images that are taken; None for any.
        to: the model's; None for those that it has.
    """

    algorithm: str = "linear"
    source: tuple[int, int] | None = None
    to: tuple[int, int] | None = None


@dataclass(frozen=True)
class InputSteps:
    """What `openvino.preprocess` puts before an input of a model: `(x - mean) / scale` of resized images.

    Attributes:
        element_type: that is taken then, as OpenVINO calls it; None for the model's own.
        layout: that is taken then.
        model_layout: the model's own; None where the model itself has to tell it.
        color_format: what is taken then, and the model's own.
        mean: one value, or one a channel of the model.
        scale: as `mean`.
    """

    element_type: str | None = None
    layout: str | None = None
    model_layout: str | None = None
    color_format: tuple[str, str] | None = None
    resize: Resize | None = None
    mean: tuple[float, ...] = ()
    scale: tuple[float, ...] = ()


@dataclass(frozen=True)
class Conversion:
    """How the source becomes an OpenVINO IR.

    Attributes:
        shapes: name of an input -> its shape.
        preprocess: name of an input -> what is built into the model before it.
    """

    precision: Literal["fp32", "fp16"] = "fp16"
    stateful: bool = True
    tokenizer: bool = True
    check: ConversionCheck = field(default_factory=ConversionCheck)
    shapes: Mapping[str, Shape] = field(default_factory=dict)
    preprocess: Mapping[str, InputSteps] = field(default_factory=dict)

    @property
    def tolerance(self) -> float:
        """The largest relative L2 distance that the check lets pass."""
        stated = self.check.max_relative_l2
        return CONVERSION_TOLERANCE[self.precision] if stated is None else stated


def conversion_of(data: Mapping[str, object]) -> Conversion:
    """The section from valid data. A check that the recipe says nothing of is made wherever it can be."""
    said = data.get("check", True)
    check = made(ConversionCheck, said) if isinstance(said, dict) else ConversionCheck(bool(said))
    steps = {name: steps_of(mapping(one)) for name, one in section(data, "preprocess").items()}
    shapes = {name: shape_of(listing(one)) for name, one in section(data, "shapes").items()}
    return made(Conversion, {**data, "check": check, "shapes": shapes, "preprocess": steps})


def shape_of(sizes: Sequence[object]) -> Shape:
    """A shape as a recipe has it."""
    return tuple(span(size) for size in sizes)


def span(size: object) -> Span:
    """A size as a recipe or an IR has it: 224, -1, `?`, `224..640` or `224..`."""
    if not isinstance(size, str):
        return (whole(size), whole(size)) if whole(size) >= 0 else ANY
    least, dots, most = size.partition("..")
    if not dots:
        return (int(size), int(size)) if size.isdigit() else ANY
    return int(least or 0), int(most) if most else None


def within(size: int, allowed: Span) -> bool:
    """Whether a size lies in a span."""
    least, most = allowed
    return least <= size and (most is None or size <= most)


def shown(shape: Shape) -> str:
    """`[1, 3, 224..640, ?]`."""
    return f"[{', '.join(_shown(one) for one in shape)}]"


def _shown(one: Span) -> str:
    least, most = one
    return "?" if one == ANY else str(least) if least == most else f"{least}..{'' if most is None else most}"


def steps_of(data: Mapping[str, object]) -> InputSteps:
    """The steps before one input."""
    layout, _, model_layout = text(data.get("layout", "")).partition("->")
    taken, _, wanted = text(data.get("color_format", "")).partition("->")
    element_type = data.get("element_type")
    return InputSteps(
        element_type=None if element_type is None else text(element_type),
        layout=layout or None,
        model_layout=model_layout or None,
        color_format=(taken, wanted) if wanted else None,
        resize=_resize(data["resize"]) if "resize" in data else None,
        mean=_numbers(data.get("mean")),
        scale=_numbers(data.get("scale")),
    )


def _resize(said: object) -> Resize:
    data = mapping(said) if isinstance(said, dict) else {"algorithm": said}
    return Resize(text(data.get("algorithm", "linear")), _size(data.get("from")), _size(data.get("to")))


def _size(said: object) -> tuple[int, int] | None:
    if said is None:
        return None
    height, width = (whole(one) for one in listing(said))
    return height, width


def _numbers(said: object) -> tuple[float, ...]:
    values = [] if said is None else said if isinstance(said, list) else [said]
    return tuple(float(numeric(value)) for value in values)
