"""An ONNX file in ONNX Runtime."""

from __future__ import annotations

from pathlib import Path

from runner.export.comparing import Outputs
from runner.model.feed import Feed


class Original:
    """An ONNX file, which is loaded anew for each use."""

    def __init__(self, source: Path) -> None:
        self.source = source

    def run(self, feed: Feed) -> Outputs:
        """All outputs by their names."""
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        session = onnxruntime.InferenceSession(str(self.source), options, providers=["CPUExecutionProvider"])
        names = [output.name for output in session.get_outputs()]
        return dict(zip(names, session.run(names, feed), strict=True))
