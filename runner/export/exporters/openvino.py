"""Model files of other frameworks, by OpenVINO itself."""

from runner.registry.exporters import Exporter

OPENVINO = Exporter(
    "openvino",
    "a file that OpenVINO reads by itself",
    takes=frozenset({"shapes", "check", "runner"}),
    libraries=("openvino",),
    module="runner.export.file",
    original="runner.export.run_file",
)
