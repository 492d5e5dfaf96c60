"""PaddlePaddle 2 inference models: a .pdmodel program and its .pdiparams; field numbers from framework.proto."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

from tests.foreign.nets import Dense, Floats, dense
from tests.foreign.protobuf import Message, wire

_FP32, _DENSE_TENSOR, _FEED, _FETCH = 5, 7, 9, 10
_INT, _BOOLEAN = {"type 2": 0}, {"type 2": 6}


def paddle_files(folder: Path, net: Dense | None = None) -> Path:
    """Write `inference.pdmodel` and `inference.pdiparams`; the result is the path of the program."""
    net = net or dense()
    folder.mkdir(parents=True, exist_ok=True)
    block = {"idx 1": 0, "parent_idx 2": -1, "vars 3": _variables(net), "ops 4": _operations()}
    path = folder / "inference.pdmodel"
    path.write_bytes(wire({"blocks 1": block, "version 4": {"version 1": 2_006_000}}))
    weights = sorted(vars(net).items())
    path.with_suffix(".pdiparams").write_bytes(b"".join(_stored(array) for _, array in weights))
    return path


def _variables(net: Dense) -> list[Message]:
    sizes = {"x": (-1, 16), "h": (-1, 32), "r": (-1, 32), "y": (-1, 8)}
    return [
        {"name 1": "feed", "type 2": {"type 1": _FEED}, "persistable 3": True},
        {"name 1": "fetch", "type 2": {"type 1": _FETCH}, "persistable 3": True},
        *(_variable(name, shape, False) for name, shape in sizes.items()),
        *(_variable(name, array.shape, True) for name, array in vars(net).items()),
    ]


def _variable(name: str, shape: tuple[int, ...], persistable: bool) -> Message:
    kind = {"type 1": _DENSE_TENSOR, "lod_tensor 3": {"tensor 1": _description(shape), "lod_level 2": 0}}
    return {"name 1": name, "type 2": kind, "persistable 3": persistable}


def _description(shape: tuple[int, ...]) -> Message:
    return {"data_type 1": _FP32, "dims 2": list(shape)}


def _operations() -> list[Message]:
    column = {"name 1": "col", **_INT, "i 3": 0}
    straight = [{"name 1": name, **_BOOLEAN, "b 10": False} for name in ("trans_x", "trans_y")]
    return [
        _operation("feed", {"X": "feed"}, "x", [column]),
        _operation("matmul_v2", {"X": "x", "Y": "w1"}, "h", straight),
        _operation("relu", {"X": "h"}, "r", []),
        _operation("matmul_v2", {"X": "r", "Y": "w2"}, "y", straight),
        _operation("fetch", {"X": "y"}, "fetch", [column]),
    ]


def _operation(kind: str, inputs: dict[str, str], output: str, attributes: list[Any]) -> Message:
    return {
        "inputs 1": [{"parameter 1": name, "arguments 2": variable} for name, variable in inputs.items()],
        "outputs 2": {"parameter 1": "Out", "arguments 2": output},
        "type 3": kind,
        "attrs 4": attributes,
    }


def _stored(array: Floats) -> bytes:
    """A tensor in the parameters' stream: version, no levels of detail, version, description, numbers."""
    description = wire(_description(array.shape))
    return struct.pack("<IQIi", 0, 0, 0, len(description)) + description + array.tobytes()
