"""Writes tiny but genuine model files of other frameworks, with none of them installed.

`dense()` (MatMul, ReLU, MatMul) goes into every format, `conv()` into ONNX; both are known weights that compute
their own output with numpy, so that a file can be checked against the net that it holds.
"""

from tests.foreign.nets import Conv, Dense, conv, dense
from tests.foreign.onnx import onnx_file
from tests.foreign.openvino import openvino_ir
from tests.foreign.paddle import paddle_files
from tests.foreign.tensorflow import (
    tensorflow_frozen,
    tensorflow_meta_graph,
    tensorflow_pbtxt,
    tensorflow_saved_model,
)
from tests.foreign.tflite import tflite_file

__all__ = [
    "Conv",
    "Dense",
    "conv",
    "dense",
    "onnx_file",
    "openvino_ir",
    "paddle_files",
    "tensorflow_frozen",
    "tensorflow_meta_graph",
    "tensorflow_pbtxt",
    "tensorflow_saved_model",
    "tflite_file",
]
