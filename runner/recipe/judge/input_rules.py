"""Settings of `conversion` for inputs that can't hold for any model: ranges, letters of layouts, numbers of values."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from runner.base.values import listing
from runner.recipe.conversion import CHANNELS, InputSteps, shape_of, shown, steps_of
from runner.recipe.judge.wording import Finding
from runner.recipe.origins import KeyPath

_IMAGE = "HW"
_LARGEST = 1 << 28
"""Values of an input; a picture of eight million pixels has 1 << 25."""


def check_shape(at: KeyPath, sizes: object) -> Iterator[Finding]:
    """Look at the shape of one input, which its schema has judged."""
    shape = shape_of(listing(sizes))
    for index, (least, most) in enumerate(shape):
        if most is not None and most < max(least, 1):
            yield Finding((*at, index), f"no size is in {least}..{most}", "the least first, such as 224..640")
    least, most = shape[0]
    if least > 1 and least != most:
        what = f"the first size is the batch, and {shown(shape[:1])[1:-1]} leaves single items out"
        yield Finding((*at, 0), what, "one size, or a range from 1")
    if math.prod(max(least, 1) for least, _ in shape) > _LARGEST:
        yield Finding(at, f"{shown(shape)} is too large", f"at most {_LARGEST} values")


def check(at: KeyPath, data: Mapping[str, object]) -> Iterator[Finding]:
    """Look at the steps before one input, which its schema has judged."""
    steps = steps_of(data)
    for key, what, allowed in (*_layout(steps, data), *_axes(steps), *_values(steps)):
        yield Finding((*at, key), what, allowed)


_Told = Iterator[tuple[str, str, str]]


def _layout(steps: InputSteps, data: Mapping[str, object]) -> _Told:
    taken, wanted = steps.layout or "", steps.model_layout or steps.layout or ""
    if len(set(taken)) != len(taken) or sorted(taken) != sorted(wanted):
        yield "layout", f'"{data["layout"]}" doesn\'t reorder the same axes', "such as NHWC->NCHW"


def _axes(steps: InputSteps) -> _Told:
    """Axes that a step works along, and that the layout lacks."""
    if steps.layout is None:
        return
    for key, asked, axes in (
        ("color_format", steps.color_format, "C"),
        ("resize", steps.resize, _IMAGE),
        ("mean", len(steps.mean) > 1, "C"),
        ("scale", len(steps.scale) > 1, "C"),
    ):
        if asked and not set(axes) <= set(steps.layout):
            yield key, f"needs a layout with {' and '.join(axes)}, and {steps.layout} has not", "such as NHWC"


def _values(steps: InputSteps) -> _Told:
    counts = {"mean": len(steps.mean), "scale": len(steps.scale)}
    several = {key: count for key, count in counts.items() if count > 1}
    channels = CHANNELS[steps.color_format[1]] if steps.color_format else None
    for key, count in several.items():
        if channels is not None and count != channels:
            assert steps.color_format is not None
            yield key, f"has {count} values, and {steps.color_format[1]} has {channels} channels", "one a channel"
    if channels is None and len(set(several.values())) > 1:
        yield "scale", f"has {counts['scale']} values, and mean has {counts['mean']}", "one a channel"
    if 0 in steps.scale:
        yield "scale", "0 can't be divided by", "another number"
