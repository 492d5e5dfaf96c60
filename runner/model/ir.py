"""The graph of an OpenVINO IR: what it holds, what was done to it, and what it must not hold."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from io import RawIOBase
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from runner.errors import OvrunError, StageError

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

    import openvino as ov


def free_kv_cache(model: ov.Model) -> None:
    """Take the exporter's mark from a model that its KV cache stays in f16."""
    path = ["runtime_options", "KV_CACHE_PRECISION"]
    if model.has_rt_info(path) and model.get_rt_info(path).value == "f16":
        options = model.get_rt_info("runtime_options").value
        options.pop("KV_CACHE_PRECISION")
        model.set_rt_info(options, "runtime_options")


def number_names(model: ov.Model) -> None:
    """Name each operation that nobody named by its type and its turn in the order of the graph.

    OpenVINO's own names (`Constant_40831`) count all operations that the process has made, those of compiled models
    too, which depend on the number of cores.
    """
    operations = list(_operations(model))
    unnamed = [node for node in operations if node.get_friendly_name() == node.get_name()]
    taken = {node.get_friendly_name() for node in operations} - {node.get_name() for node in unnamed}
    turn: Counter[str] = Counter()
    for node in unnamed:
        kind = node.get_type_name()
        while (name := f"{kind}_{turn[kind]}") in taken:
            turn[kind] += 1
        turn[kind] += 1
        node.set_friendly_name(name)


def _operations(model: ov.Model) -> Iterator[ov.Node]:
    """All operations in the order of the IR; those of a loop's or a condition's body after it."""
    for node in model.get_ordered_ops():
        yield node
        for body in _bodies(node):
            yield from _operations(body)


def _bodies(node: ov.Node) -> list[ov.Model]:
    if node.get_type_name() == "If":
        return [node.get_function(0), node.get_function(1)]
    return [node.get_function()] if node.get_type_name() in ("Loop", "TensorIterator") else []


def refuse_nan(model: ov.Model, refusal: type[OvrunError] = StageError) -> None:
    """Refuse weights that are not numbers: compression would hide them, since NNCF rounds NaN to some integer.

    Infinities are legal, attention masks are made of them.

    Raises:
        OvrunError: of the class `refusal`, naming the first such weight.
    """
    import numpy as np

    for node in model.get_ops():
        if node.get_type_name() == "Constant" and node.get_element_type().get_type_name() in ("f16", "f32", "f64"):
            if np.isnan(node.get_data()).any():
                raise _not_a_number(node.get_friendly_name(), refusal)


def refuse_nan_in_file(path: Path, refusal: type[OvrunError] = StageError) -> None:
    """`refuse_nan` for an IR on the disk, of which no more than one piece is in memory at a time.

    Raises:
        OvrunError: of the class `refusal`, naming the first such weight.
    """
    with path.open("rb") as graph, path.with_suffix(".bin").open("rb", buffering=0) as weights:
        for layer in _layers(graph):
            data = layer.find("data")
            if layer.get("type") == "Const" and data is not None and data.get("element_type") in _INFINITY:
                weights.seek(int(data.get("offset", 0)))
                if _has_nan(weights, int(data.get("size", 0)), *_INFINITY[data.get("element_type", "")]):
                    raise _not_a_number(layer.get("name", ""), refusal)


def _layers(graph: BinaryIO) -> Iterator[Element]:
    """The layers of an IR in the order of the file."""
    from xml.etree.ElementTree import iterparse

    for _, element in iterparse(graph):
        if element.tag == "layer":
            yield element
            element.clear()


_INFINITY = {
    "f16": ("<u2", 0x7C00),
    "bf16": ("<u2", 0x7F80),
    "f32": ("<u4", 0x7F80 << 16),
    "f64": ("<u8", 0x7FF0 << 48),
}
"""Element type -> its word as an integer, and the bits of infinity; but for the sign, those of a NaN are more."""
_PIECE = 1 << 20


def _has_nan(stream: RawIOBase, size: int, word: str, infinity: int) -> bool:
    """Whether there is a NaN among the next `size` bytes."""
    import numpy as np

    piece = memoryview(bytearray(_PIECE))
    without_sign = np.iinfo(word).max >> 1
    for start in range(0, size, _PIECE):
        read = piece[: min(_PIECE, size - start)]
        stream.readinto(read)
        if (np.frombuffer(read, word) & np.array(without_sign, word)).max() > infinity:
            return True
    return False


def _not_a_number(weight: str, refusal: type[OvrunError]) -> OvrunError:
    return refusal(f"the weight {weight} has values that are not numbers (NaN)")


def constants(model: ov.Model) -> dict[str, dict[str, int]]:
    """Element type -> how many constants of two or more elements have it, and their bytes."""
    count: Counter[str] = Counter()
    size: Counter[str] = Counter()
    for node in model.get_ops():
        if node.get_type_name() == "Constant" and _elements(node) > 1:
            kind = node.get_element_type().get_type_name()
            count[kind] += 1
            size[kind] += node.get_byte_size()
    return {kind: {"count": count[kind], "bytes": size[kind]} for kind in sorted(count)}


def _elements(node: ov.Node) -> int:
    total = 1
    for length in node.get_output_shape(0):
        total *= length
    return total


def compressed_by(model: ov.Model) -> str | None:
    """What NNCF did to a model before, as its rt_info tells: `weight_compression`, `quantization` or None."""
    for name in ("weight_compression", "quantization"):
        if model.has_rt_info(["nncf", name]):
            return name
    return None


_PASSING = frozenset({"Convert", "Reshape", "Squeeze", "Transpose", "Unsqueeze"})


def has_attention(model: ov.Model) -> bool:
    """Whether the model has attention: without being told, NNCF ruins the accuracy of such a model.

    Attention is a ScaledDotProductAttention, or a Softmax whose result is multiplied with something computed; a linear
    layer behind a Softmax multiplies it with weights.
    """
    softmaxes = []
    for node in model.get_ops():
        if node.get_type_name() == "ScaledDotProductAttention":
            return True
        if node.get_type_name() == "Softmax":
            softmaxes.append(node)
    return any(_weighs_values(node) for node in softmaxes)


def _weighs_values(softmax: ov.Node) -> bool:
    """Whether what a Softmax gives goes into a MatMul with something computed."""
    waiting = [softmax]
    while waiting:
        for port in waiting.pop().output(0).get_target_inputs():
            node = port.get_node()
            if node.get_type_name() in _PASSING:
                waiting.append(node)
            elif node.get_type_name() == "MatMul" and _is_computed(node.input_value(1 - port.get_index()).get_node()):
                return True
    return False


def _is_computed(node: ov.Node) -> bool:
    """Whether a value follows from the model's inputs."""
    waiting = [node]
    seen: set[str] = set()
    while waiting:
        node = waiting.pop()
        if node.get_type_name() in ("Parameter", "ReadValue"):
            return True
        inputs = [node.input_value(index).get_node() for index in range(node.get_input_size())]
        waiting += [one for one in inputs if one.get_friendly_name() not in seen]
        seen.update(one.get_friendly_name() for one in inputs)
    return False


def widen_first_states(model: ov.Model) -> None:
    """Store in f32 the f16 weights that a state's first value is computed with, such as what is kept of an encoder.

    OpenVINO's CPU plug-in computes this value in a graph of its own. With f16 weights in there it fails as soon as the
    model has outputs there too, as NNCF adds for statistics: "Memory descriptor may not be modified in StaticMemory
    object". The numbers are the same.
    """
    import openvino as ov

    for convert in _computing([node for node in model.get_ops() if node.get_type_name() == "ReadValue"]):
        weight = convert.input_value(0).get_node() if convert.get_type_name() == "Convert" else convert
        if weight is not convert and weight.get_type_name() == "Constant" and weight.get_element_type() == ov.Type.f16:
            wide = ov.op.Constant(weight.get_data().astype("float32"))
            wide.set_friendly_name(weight.get_friendly_name())
            for port in convert.output(0).get_target_inputs():
                port.replace_source_output(wide.output(0))


def _computing(nodes: list[ov.Node]) -> Iterator[ov.Node]:
    """All operations that the inputs of some are computed by, each once."""
    waiting, seen = [*nodes], set[str]()
    while waiting:
        node = waiting.pop()
        for one in (node.input_value(index).get_node() for index in range(node.get_input_size())):
            if one.get_friendly_name() not in seen:
                seen.add(one.get_friendly_name())
                waiting.append(one)
                yield one


def kinds(model: ov.Model) -> set[str]:
    """The types of a model's operations."""
    return {node.get_type_name() for node in model.get_ops()}
