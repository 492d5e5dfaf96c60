"""OpenVINO IR files of a stage: read, write, take over what lies beside them, count what they hold."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import runner.files as fs
from runner.errors import StageError

MODEL = "openvino_model.xml"
WEIGHTS = "openvino_model.bin"


def read(folder: Path, name: str = MODEL) -> Any:
    """A model of a stage's folder, its weights mapped and not loaded."""
    import openvino as ov

    return ov.Core().read_model(folder / name)


def write(model: Any, source: Path, out: Path) -> None:
    """Save a changed model to `out` beside everything else that the folder `source` holds.

    Raises:
        StageError: a weight or a scale is not a number.

    The exporter marks a model so that its KV cache stays in f16; a compressed model leaves that choice to the runtime,
    as Optimum Intel does.
    """
    import openvino as ov

    _free_kv_cache(model)
    refuse_nan(model)
    ov.save_model(model, out / MODEL, compress_to_fp16=False)
    fs.link_tree(source, out, skip=(MODEL, WEIGHTS))


def _free_kv_cache(model: Any) -> None:
    path = ["runtime_options", "KV_CACHE_PRECISION"]
    if model.has_rt_info(path) and model.get_rt_info(path).value == "f16":
        options = model.get_rt_info("runtime_options").value
        options.pop("KV_CACHE_PRECISION")
        model.set_rt_info(options, "runtime_options")


def refuse_nan(model: Any) -> None:
    """Refuse weights that are not numbers: compression would hide them, since NNCF rounds NaN to some integer.

    Infinities are legal, attention masks are made of them.

    Raises:
        StageError: naming the first such weight.
    """
    import numpy as np

    for node in model.get_ops():
        if node.get_type_name() == "Constant" and node.get_element_type().get_type_name() in ("f16", "f32", "f64"):
            if np.isnan(node.get_data()).any():
                message = f"the weight {node.get_friendly_name()} has values that are not numbers (NaN)"
                raise StageError(message)


def constants(model: Any) -> dict[str, dict[str, int]]:
    """Element type -> how many constants of two or more elements have it, and their bytes."""
    count: Counter[str] = Counter()
    size: Counter[str] = Counter()
    for node in model.get_ops():
        if node.get_type_name() == "Constant" and _elements(node) > 1:
            kind = node.get_element_type().get_type_name()
            count[kind] += 1
            size[kind] += node.get_byte_size()
    return {kind: {"count": count[kind], "bytes": size[kind]} for kind in sorted(count)}


def _elements(node: Any) -> int:
    total = 1
    for length in node.get_output_shape(0):
        total *= length
    return total


def compressed_by(model: Any) -> str | None:
    """What NNCF did to a model before, as its rt_info tells: `weight_compression`, `quantization` or None."""
    for name in ("weight_compression", "quantization"):
        if model.has_rt_info(["nncf", name]):
            return name
    return None


def model_type(model: Any) -> str | None:
    """`transformer` if the model has attention: without being told, NNCF ruins its accuracy.

    Attention is a ScaledDotProductAttention, or a Softmax whose result goes into a MatMul.
    """
    for node in model.get_ops():
        kind = node.get_type_name()
        if kind == "ScaledDotProductAttention":
            return "transformer"
        if kind == "Softmax" and any(
            port.get_node().get_type_name() == "MatMul" for port in node.output(0).get_target_inputs()
        ):
            return "transformer"
    return None
