"""The section `conversion` of a recipe."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

CONVERSION_TOLERANCE: Mapping[str, float] = {"fp32": 1e-3, "fp16": 2e-2}
"""Relative L2 distance of a converted model's outputs from its original's, by precision: where a recipe states none.

Measured on whole conversions: at most 1e-6 in fp32, and 2e-4 to 3e-3 in fp16, whose weights are rounded.
"""


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
class Conversion:
    """How the source becomes an OpenVINO IR."""

    precision: Literal["fp32", "fp16"] = "fp16"
    stateful: bool = True
    tokenizer: bool = True
    check: ConversionCheck = field(default_factory=ConversionCheck)

    @property
    def tolerance(self) -> float:
        """The largest relative L2 distance that the check lets pass."""
        stated = self.check.max_relative_l2
        return CONVERSION_TOLERANCE[self.precision] if stated is None else stated
