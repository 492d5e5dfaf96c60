"""ONNX files, with their weights inside or in a file of their own; field numbers from onnx.proto, operator set 17."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.foreign.nets import Conv, Dense, Floats, dense
from tests.foreign.protobuf import Message, wire

_FLOAT, _EXTERNAL, _INT, _INTS = 1, 1, 2, 7


def onnx_file(path: Path, net: Dense | Conv | None = None, external: str | None = None) -> Path:
    """Write a model with input x and output y; `external` is the weights' file, relative to the model's folder."""
    net = net or dense()
    convolves = isinstance(net, Conv)
    graph = {
        "node 1": _conv() if convolves else _dense(),
        "name 2": "net",
        "initializer 5": _outside(path.parent, external, vars(net)) if external else _inside(vars(net)),
        "input 11": _value("x", [3, 8, 6] if convolves else [16]),
        "output 12": _value("y", [4] if convolves else [8]),
    }
    model = {"ir_version 1": 8, "producer_name 2": "ovrun-tests", "graph 7": graph, "opset_import 8": {"version 2": 17}}
    path.write_bytes(wire(model))
    return path


def _dense() -> list[Message]:
    return [_node("MatMul", "x w1", "h"), _node("Relu", "h", "r"), _node("MatMul", "r w2", "y")]


def _conv() -> list[Message]:
    return [
        _node("Conv", "x kernel", "h", {"name 1": "pads", "ints 8": [1, 1, 1, 1], "type 20": _INTS}),
        _node("Relu", "h", "r"),
        _node("GlobalAveragePool", "r", "m"),
        _node("Flatten", "m", "f", {"name 1": "axis", "i 3": 1, "type 20": _INT}),
        _node("MatMul", "f w", "y"),
    ]


def _node(kind: str, inputs: str, output: str, *attributes: Message) -> Message:
    return {
        "input 1": inputs.split(),
        "output 2": output,
        "name 3": f"{kind}_{output}",
        "op_type 4": kind,
        "attribute 5": [*attributes],
    }


def _value(name: str, sizes: list[int]) -> Message:
    dims: list[Message] = [{"dim_param 2": "batch"}, *({"dim_value 1": size} for size in sizes)]
    return {"name 1": name, "type 2": {"tensor_type 1": {"elem_type 1": _FLOAT, "shape 2": {"dim 1": dims}}}}


def _inside(weights: dict[str, Floats]) -> list[Message]:
    return [_tensor(name, array, {"raw_data 9": array.tobytes()}) for name, array in weights.items()]


def _outside(folder: Path, location: str, weights: dict[str, Floats]) -> list[Message]:
    """Each weight names the file, its place and its length there."""
    tensors, stored = [], b""
    for name, array in weights.items():
        place = {"location": location, "offset": len(stored), "length": array.nbytes}
        entries = [{"key 1": key, "value 2": str(value)} for key, value in place.items()]
        tensors.append(_tensor(name, array, {"external_data 13": entries, "data_location 14": _EXTERNAL}))
        stored += array.tobytes()
    (folder / location).parent.mkdir(parents=True, exist_ok=True)
    (folder / location).write_bytes(stored)
    return tensors


def _tensor(name: str, array: Floats, data: dict[str, Any]) -> Message:
    return {"dims 1": list(array.shape), "data_type 2": _FLOAT, "name 8": name, **data}
