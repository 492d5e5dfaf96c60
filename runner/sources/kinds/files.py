"""Model files that OpenVINO reads by itself."""

from runner.registry.sources import Source

_FILE = "runner.sources.file"

OPENVINO = Source("openvino", "an OpenVINO IR", module=_FILE)
ONNX = Source("onnx", "an ONNX file", module=_FILE)
TFLITE = Source("tflite", "a TensorFlow Lite file", module=_FILE)
TENSORFLOW = Source("tensorflow", "a SavedModel, a frozen graph or a meta graph", module=_FILE)
PADDLE = Source("paddle", "a PaddlePaddle file", module=_FILE)
