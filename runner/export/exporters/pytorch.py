"""PyTorch modules of a user's own file, and programs of torch.export, by OpenVINO itself."""

from runner.registry.exporters import Exporter

PYTORCH = Exporter(
    "pytorch",
    "a .pt2 file of torch.export, or a module of a Python file",
    takes=frozenset({"shapes", "check", "code", "imports"}),
    libraries=("openvino", "torch"),
    module="runner.export.torch_file",
)
