"""TensorFlow files: frozen graphs as .pb and .pbtxt, SavedModel folders and checkpoints with variables.

Field numbers from graph, attr_value, tensor, tensor_shape, saved_model, meta_graph and tensor_bundle.proto.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import IntEnum
from pathlib import Path

from tests.foreign.leveldb import masked_crc32c, table
from tests.foreign.nets import Dense, Floats, dense
from tests.foreign.protobuf import Fixed32, Message, text, wire


class DataType(IntEnum):
    """TensorFlow's element types, by their names in the text format."""

    DT_FLOAT = 1


_FLOAT: Message = {"type 6": DataType.DT_FLOAT}


def tensorflow_frozen(path: Path, net: Dense | None = None) -> Path:
    """Write a graph whose weights are constants."""
    path.write_bytes(wire(_graph(net or dense(), _constant)))
    return path


def tensorflow_pbtxt(path: Path, net: Dense | None = None) -> Path:
    """Write a graph whose weights are constants, as text."""
    path.write_text(text(_graph(net or dense(), _constant)))
    return path


def tensorflow_saved_model(folder: Path, net: Dense | None = None) -> Path:
    """Write a SavedModel: a graph with variables, and their values in the folder `variables`."""
    net = net or dense()
    (folder / "variables").mkdir(parents=True, exist_ok=True)
    (folder / "saved_model.pb").write_bytes(wire({"saved_model_schema_version 1": 1, "meta_graphs 2": _meta(net)}))
    _checkpoint(folder / "variables" / "variables", net)
    return folder


def tensorflow_meta_graph(path: Path, net: Dense | None = None) -> Path:
    """Write a checkpoint: the graph as `<stem>.meta`, its variables as `<stem>.index` and `<stem>.data-…`."""
    net = net or dense()
    path.write_bytes(wire(_meta(net)))
    _checkpoint(path.with_suffix(""), net)
    return path


def _graph(net: Dense, weight: Callable[[str, Floats], list[Message]]) -> Message:
    matmul = {"T": _FLOAT, "transpose_a": {"b 5": False}, "transpose_b": {"b 5": False}}
    nodes = [
        _node("x", "Placeholder", [], {"dtype": _FLOAT, "shape": {"shape 7": _shape(-1, 16)}}),
        *weight("w1", net.w1),
        *weight("w2", net.w2),
        _node("h", "MatMul", ["x", "w1/read"], matmul),
        _node("r", "Relu", ["h"], {"T": _FLOAT}),
        _node("y", "MatMul", ["r", "w2/read"], matmul),
    ]
    return {"node 1": nodes, "versions 4": {"producer 1": 1882}}


def _constant(name: str, array: Floats) -> list[Message]:
    shape = _shape(*array.shape)
    tensor = {"dtype 1": DataType.DT_FLOAT, "tensor_shape 2": shape, "tensor_content 4": array.tobytes()}
    return [
        _node(name, "Const", [], {"dtype": _FLOAT, "value": {"tensor 8": tensor}}),
        _node(f"{name}/read", "Identity", [name], {"T": _FLOAT}),
    ]


def _variable(name: str, array: Floats) -> list[Message]:
    attributes = {"dtype": _FLOAT, "shape": {"shape 7": _shape(*array.shape)}, "shared_name": {"s 2": name.encode()}}
    return [
        _node(name, "VarHandleOp", [], attributes),
        _node(f"{name}/read", "ReadVariableOp", [name], {"dtype": _FLOAT}),
    ]


def _node(name: str, kind: str, inputs: list[str], attributes: Mapping[str, Message]) -> Message:
    return {
        "name 1": name,
        "op 2": kind,
        "input 3": inputs,
        "attr 5": [_entry(key, value) for key, value in attributes.items()],
    }


def _entry(key: str, value: Message) -> Message:
    return {"key 1": key, "value 2": value}


def _shape(*sizes: int) -> Message:
    return {"dim 2": [{"size 1": size} for size in sizes]}


def _meta(net: Dense) -> Message:
    signature = {
        "inputs 1": _entry("x", _tensor_info("x:0", -1, 16)),
        "outputs 2": _entry("y", _tensor_info("y:0", -1, 8)),
        "method_name 3": "tensorflow/serving/predict",
    }
    return {
        "meta_info_def 1": {"tags 4": "serve", "tensorflow_version 5": "1.15.0"},
        "graph_def 2": _graph(net, _variable),
        "signature_def 5": _entry("serving_default", signature),
    }


def _tensor_info(name: str, *sizes: int) -> Message:
    return {"name 1": name, "dtype 2": DataType.DT_FLOAT, "tensor_shape 3": _shape(*sizes)}


def _checkpoint(prefix: Path, net: Dense) -> None:
    """The variables' values in one shard, and the index that says where each of them is."""
    header: Message = {"num_shards 1": 1, "version 3": {"producer 1": 1}}
    index, values = {"": wire(header)}, b""
    for name, array in sorted(vars(net).items()):
        entry = {
            "dtype 1": DataType.DT_FLOAT,
            "shape 2": _shape(*array.shape),
            "offset 4": len(values),
            "size 5": array.nbytes,
            "crc32c 6": Fixed32(masked_crc32c(array.tobytes())),
        }
        index[name] = wire(entry)
        values += array.tobytes()
    prefix.with_name(f"{prefix.name}.index").write_bytes(table(index))
    prefix.with_name(f"{prefix.name}.data-00000-of-00001").write_bytes(values)
