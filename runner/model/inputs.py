"""A model's inputs as its files tell them, and which settings of a recipe do not fit them; without OpenVINO."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from runner.base.words import enumerate_names, near, plural, shorten
from runner.recipe.conversion import ANY, CHANNELS, InputSteps, Shape, Span, shown

_COLORS = ((1, 3), (4,))
"""Sizes of an axis of channels, where nothing else says which axis that is; the likeliest first."""


@dataclass(frozen=True)
class Input:
    """One input of a model.

    Attributes:
        name: the one that is told.
        names: all its names.
        sizes: of its axes; None where the rank is open, or not known.
    """

    name: str
    sizes: Shape | None = None
    names: frozenset[str] = frozenset()

    def __str__(self) -> str:
        return f"{self.name} {'of any shape' if self.sizes is None else shown(self.sizes)}"

    @property
    def shape(self) -> tuple[int | None, ...] | None:
        """None where a size is open or has a range."""
        if self.sizes is None:
            return None
        return tuple(least if least == most else None for least, most in self.sizes)

    @property
    def layout(self) -> str | None:
        """Of an input of images: NCHW or NHWC, as its name or the size of its channels tell."""
        if self.shape is None or len(self.shape) != 4:
            return None
        if "pixel_values" in self.names | {self.name}:
            return "NCHW"
        for counts in _COLORS:
            first, last = self.shape[1] in counts, self.shape[3] in counts
            if first or last:
                return None if first and last else "NCHW" if first else "NHWC"
        return None


class Misfit(NamedTuple):
    """A setting that does not fit: its key below that of the section, what is wrong, what would be right."""

    key: str
    what: str
    allowed: str | None = None
    suggestion: str | None = None


def named(name: str, inputs: Collection[Input]) -> Input | None:
    """The input that has a name."""
    return next((one for one in inputs if name in one.names | {one.name}), None)


def unknown(name: str, inputs: Collection[Input]) -> Misfit:
    """What is said of a name that no input has."""
    names = [one.name for one in inputs]
    there = enumerate_names(names, lead="its inputs are")
    return Misfit(name, f'the model has no input "{shorten(name)}"', there, near(name, names))


def shape_misfits(shapes: Mapping[str, Shape], inputs: Sequence[Input]) -> Iterator[Misfit]:
    """What of `conversion.shapes` does not fit the inputs."""
    for name, sizes in shapes.items():
        one = named(name, inputs)
        if one is None:
            yield unknown(name, inputs)
        elif one.sizes is not None and len(one.sizes) != len(sizes):
            what = f"{shown(sizes)} has {plural(len(sizes), 'size')}, and the model's input {one} has {len(one.sizes)}"
            yield Misfit(name, what, "a size, a range or -1 for each")


def reshaped(shapes: Mapping[str, Shape], inputs: Sequence[Input]) -> list[Input]:
    """The inputs with the shapes that they get."""
    told = {id(named(name, inputs)): sizes for name, sizes in shapes.items()}
    return [replace(one, sizes=told.get(id(one), one.sizes)) for one in inputs]


def preprocess_misfits(preprocess: Mapping[str, InputSteps], inputs: Sequence[Input]) -> Iterator[Misfit]:
    """What of `conversion.preprocess` does not fit the inputs."""
    for name, steps in preprocess.items():
        one = named(name, inputs)
        if one is None:
            yield unknown(name, inputs)
            continue
        for key, what, allowed in _of_steps(steps, one):
            yield Misfit(f"{name}.{key}", what, allowed)


def model_layout(steps: InputSteps, one: Input) -> str | None:
    """The layout of an input itself: as the recipe says, else as the model tells."""
    return steps.model_layout or one.layout


def taken_by(steps: InputSteps, one: Input) -> Input:
    """The input that is there once the steps are built in before another."""
    layout = model_layout(steps, one)
    if one.sizes is None or layout is None or not needs_layout(steps):
        return one
    sizes = dict(zip(layout, one.sizes, strict=True))
    if steps.resize:
        height, width = steps.resize.source or (None, None)
        sizes |= {"H": _exactly(height), "W": _exactly(width)}
    if steps.color_format:
        sizes["C"] = _exactly(CHANNELS[steps.color_format[0]])
    return replace(one, sizes=tuple(sizes[axis] for axis in steps.layout or layout))


def _exactly(size: int | None) -> Span:
    return ANY if size is None else (size, size)


def needs_layout(steps: InputSteps) -> bool:
    """Whether the steps work along axes that have to be known."""
    several = len(steps.mean) > 1 or len(steps.scale) > 1
    return bool(steps.layout or steps.color_format or steps.resize or several)


_Told = Iterator[tuple[str, str, str]]


def _of_steps(steps: InputSteps, one: Input) -> _Told:
    if one.shape is None or not needs_layout(steps):
        return
    layout = model_layout(steps, one)
    if layout is None:
        yield "layout", f"nothing tells what the axes of {one} are", "state the model's layout too, such as NHWC->NCHW"
    elif len(layout) != len(one.shape):
        yield "layout", f"{layout} has {len(layout)} axes, and the model's input is {one}", "one letter an axis"
    elif steps.layout and sorted(steps.layout) != sorted(layout):
        yield "layout", f"{steps.layout} has other axes than the model's {layout}", f"write {steps.layout}->…"
    else:
        sizes = dict(zip(layout, one.shape, strict=True))
        yield from _channels(steps, one, sizes)
        yield from _resize(steps, one, sizes)


def _channels(steps: InputSteps, one: Input, sizes: Mapping[str, int | None]) -> _Told:
    channels = sizes.get("C")
    for key, count in (("mean", len(steps.mean)), ("scale", len(steps.scale))):
        if count > 1 and "C" not in sizes:
            yield key, f"{count} values need an axis C, and the model has {''.join(sizes)}", "one value"
        elif count > 1 and channels is not None and count != channels:
            yield (
                key,
                f"has {count} values, and the model's input {one} has {plural(channels, 'channel')}",
                "one a channel",
            )
    if steps.color_format and channels not in (None, CHANNELS[steps.color_format[1]]):
        there = plural(CHANNELS[steps.color_format[1]], "channel")
        yield "color_format", f"{steps.color_format[1]} has {there}, and the model's input is {one}", "remove it"


def _resize(steps: InputSteps, one: Input, sizes: Mapping[str, int | None]) -> _Told:
    if not steps.resize:
        return
    own = sizes.get("H"), sizes.get("W")
    if steps.resize.to is None and None in own:
        example = "resize: {algorithm: linear, to: [224, 224]}"
        yield "resize", f"the model's input {one} leaves height and width open", f"say which, such as {example}"
    elif steps.resize.to and any(size not in (None, to) for size, to in zip(own, steps.resize.to, strict=True)):
        yield "resize", f"{list(steps.resize.to)} is not what the model's input {one} takes", "remove `to`"
