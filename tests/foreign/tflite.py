"""TensorFlow Lite files, table by table with the `flatbuffers` package; slots and numbers from schema.fbs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import flatbuffers
import numpy as np

from tests.foreign.nets import Dense, dense

_FULLY_CONNECTED, _FULLY_CONNECTED_OPTIONS, _RELU = 9, 8, 1
_INT8 = 9


def tflite_file(path: Path, net: Dense | None = None, *, outputs: tuple[str, ...] = ("y",), int8: bool = False) -> Path:
    """Write a model of two fully connected layers, the first with ReLU, for a batch of 1.

    Args:
        outputs: of `h`, what the first layer gives, and `y`.
        int8: whether the weights of the second layer have 8 bits and a scale.
    """
    net = net or dense()
    out = flatbuffers.Builder(8192)
    scale = float(np.abs(net.w2).max()) / 127
    second = np.round(net.w2 / scale).astype(np.int8) if int8 else net.w2
    # A weight is stored [outputs, inputs], in a buffer of its own; buffer 0 is empty and stands for "no data".
    buffers = [_table(out, {}), _buffer(out, net.w1.T.tobytes()), _buffer(out, second.T.tobytes())]
    tensors = [
        _tensor(out, "x", (1, 16)),
        _tensor(out, "w1", (32, 16), buffer=1),
        _tensor(out, "h", (1, 32)),
        _tensor(out, "w2", (8, 32), buffer=2, scale=scale if int8 else None),
        _tensor(out, "y", (1, 8)),
    ]
    operators = [_fully_connected(out, (0, 1), 2, _RELU), _fully_connected(out, (2, 3), 4)]
    ends = tuple({"h": 2, "y": 4}[name] for name in outputs)
    parts = {0: _offsets(out, tensors), 1: _integers(out, (0,)), 2: _integers(out, ends), 3: _offsets(out, operators)}
    graph = _table(out, {slot: ("UOffsetTRelative", part) for slot, part in parts.items()})
    code = _table(out, {0: ("Int8", _FULLY_CONNECTED), 2: ("Int32", 1), 3: ("Int32", _FULLY_CONNECTED)})
    lists = {1: _offsets(out, [code]), 2: _offsets(out, [graph]), 4: _offsets(out, buffers)}
    model = _table(out, {0: ("Uint32", 3), **{slot: ("UOffsetTRelative", part) for slot, part in lists.items()}})
    out.Finish(model, file_identifier=b"TFL3")
    path.write_bytes(out.Output())
    return path


def _buffer(out: flatbuffers.Builder, data: bytes) -> int:
    """Bytes at a multiple of 16, where the interpreter maps them."""
    out.StartVector(1, len(data), 16)
    for byte in reversed(data):
        out.PrependByte(byte)
    return _table(out, {0: ("UOffsetTRelative", out.EndVector())})


def _tensor(
    out: flatbuffers.Builder, name: str, shape: tuple[int, ...], buffer: int = 0, scale: float | None = None
) -> int:
    """A tensor of float32, which is type 0, or of int8 with a scale."""
    sizes, label = _integers(out, shape), out.CreateString(name)
    fields = {0: ("UOffsetTRelative", sizes), 2: ("Uint32", buffer), 3: ("UOffsetTRelative", label)}
    if scale is not None:
        scales, zeros = np.asarray([scale], np.float32), np.asarray([0], np.int64)
        parts = {2: out.CreateNumpyVector(scales), 3: out.CreateNumpyVector(zeros)}
        quantized = _table(out, {slot: ("UOffsetTRelative", part) for slot, part in parts.items()})
        fields |= {1: ("Int8", _INT8), 4: ("UOffsetTRelative", quantized)}
    return _table(out, fields)


def _fully_connected(out: flatbuffers.Builder, inputs: tuple[int, ...], output: int, activation: int = 0) -> int:
    sources, targets = _integers(out, inputs), _integers(out, (output,))
    options = _table(out, {0: ("Int8", activation)})
    return _table(
        out,
        {
            1: ("UOffsetTRelative", sources),
            2: ("UOffsetTRelative", targets),
            3: ("Uint8", _FULLY_CONNECTED_OPTIONS),
            4: ("UOffsetTRelative", options),
        },
    )


def _table(out: flatbuffers.Builder, fields: Mapping[int, tuple[str, int]]) -> int:
    """A table of slot -> (kind, value), where a value of 0 is the default and is left out."""
    out.StartObject(max(fields, default=-1) + 1)
    for slot, (kind, value) in fields.items():
        getattr(out, f"Prepend{kind}Slot")(slot, value, 0)
    return int(out.EndObject())


def _integers(out: flatbuffers.Builder, values: tuple[int, ...]) -> int:
    return int(out.CreateNumpyVector(np.asarray(values, np.int32)))


def _offsets(out: flatbuffers.Builder, offsets: list[int]) -> int:
    out.StartVector(4, len(offsets), 4)
    for offset in reversed(offsets):
        out.PrependUOffsetTRelative(offset)
    return int(out.EndVector())
