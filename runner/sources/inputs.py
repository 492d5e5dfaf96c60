"""The inputs of a model, as far as files or a recipe tell them without OpenVINO: of an IR, ONNX, images, an example."""

from __future__ import annotations

import mmap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import runner.base.files as fs
from runner.model.inputs import Input
from runner.recipe.conversion import ANY, Span, shape_of, span
from runner.sources import Located
from runner.sources.onnx_data import fields, number

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

_OF_IMAGES = frozenset({"image-classification", "semantic-segmentation", "object-detection", "depth-estimation"})
"""Tasks of models whose only input is `pixel_values`."""
_OTHERS = frozenset({"perceiver"})
"""Types of models of which that is not so."""


def known_inputs(located: Located, config: Mapping[str, object] | None) -> list[Input]:
    """The inputs in the model's order; none where its files do not tell them, or are damaged.

    Args:
        config: the model's config.json, as far as it is known by now.
    """
    if located.reader == "transformers":
        return _of_images(located.task, config or {})
    if located.example:
        return [
            Input(one.name, tuple(ANY if size is None else span(size) for size in one.shape)) for one in located.example
        ]
    readers = {".xml": _of_ir, ".onnx": _of_onnx}
    read = readers.get(located.path.suffix) if located.path else None
    return read(located.path) if read and located.path and located.reader == "openvino" else []


def _of_images(task: str | None, config: Mapping[str, object]) -> list[Input]:
    if task not in _OF_IMAGES or not config or config.get("model_type") in _OTHERS:
        return []
    channels = config.get("num_channels")
    return [Input("pixel_values", (ANY, span(channels) if isinstance(channels, int) else ANY, ANY, ANY))]


def _of_ir(path: Path) -> list[Input]:
    from xml.etree.ElementTree import ParseError

    try:
        with fs.open_regular(path) as stream:
            return [_parameter(layer) for layer in _parameters(stream)]
    except (ParseError, ValueError, LookupError, OSError):  # what is wrong with it is OpenVINO's to tell
        return []


def _parameters(stream: BinaryIO) -> Iterator[Element]:
    """The layers that are inputs of the model itself, and not of a loop's body."""
    from xml.etree.ElementTree import iterparse

    depth = 0
    for event, element in iterparse(stream, ("start", "end")):
        if element.tag == "body":
            depth += 1 if event == "start" else -1
        elif event == "end" and element.tag == "layer" and not depth:
            if element.get("type") == "Parameter":
                yield element
            element.clear()


def _parameter(layer: Element) -> Input:
    data, port = layer.find("data"), layer.find("output/port")
    stated = data.get("shape") if data is not None else None
    names = [name for name in (port.get("names", "") if port is not None else "").split(",") if name]
    sizes = None if stated is None or "..." in stated else shape_of([size for size in stated.split(",") if size])
    return Input(sorted(names)[0] if names else layer.get("name", ""), sizes, frozenset(names))


_GRAPH, _INITIALIZER, _INPUT = 7, 5, 11
"""Fields of ModelProto and GraphProto (onnx.proto)."""
_SIZE = 1 << 3
"""The tag of a dimension's `dim_value`, a plain number."""
_NEGATIVE = 1 << 63
"""From here on a plain number stands for one below zero."""


def _of_onnx(path: Path) -> list[Input]:
    with fs.open_regular(path) as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as content:
        found: list[Input] = []
        weights: set[str] = set()
        for start, stop in _inside(content, 0, len(content), _GRAPH):
            weights |= {_text(content, begin, end, 8) for begin, end in _inside(content, start, stop, _INITIALIZER)}
            found += [_value(content, begin, end) for begin, end in _inside(content, start, stop, _INPUT)]
        return [one for one in found if one.name not in weights]


def _value(content: mmap.mmap, start: int, stop: int) -> Input:
    """A ValueInfoProto: its name, and its type, which is of a tensor, whose shape has dimensions."""
    shapes = [
        shape
        for kind in _inside(content, start, stop, 2)
        for tensor in _inside(content, *kind, 1)
        for shape in _inside(content, *tensor, 2)
    ]
    sizes = [tuple(_dimension(content, *one) for one in _inside(content, *shape, 1)) for shape in shapes]
    return Input(_text(content, start, stop, 1), sizes[0] if sizes else None)


def _dimension(content: mmap.mmap, start: int, stop: int) -> Span:
    """A size that is stated; a name, or nothing, is an open one."""
    stated = start < stop and content[start] == _SIZE
    size = number(content, start + 1, stop) if stated else 0
    return (size, size) if 0 < size < _NEGATIVE else ANY


def _inside(content: mmap.mmap, start: int, stop: int, wanted: int) -> Iterator[tuple[int, int]]:
    """Where the values of a field of a message lie."""
    return ((begin, end) for field, begin, end in fields(content, start, stop) if field == wanted)


def _text(content: mmap.mmap, start: int, stop: int, wanted: int) -> str:
    spans = list(_inside(content, start, stop, wanted))
    return content[spans[0][0] : spans[0][1]].decode(errors="replace") if spans else ""
