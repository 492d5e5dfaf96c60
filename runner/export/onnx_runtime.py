"""An ONNX file in ONNX Runtime."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from runner.export.given import Outputs
from runner.model.feed import Feed

if TYPE_CHECKING:
    from onnxruntime import InferenceSession


class Original:
    """An ONNX file, which is loaded anew for each use."""

    def __init__(self, source: Path) -> None:
        self.source = source

    def run(self, feed: Feed) -> Outputs:
        """All outputs by their names."""
        return outputs_of(loaded(self.source), feed)


def loaded(source: Path) -> InferenceSession:
    """A session, on the CPU."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(str(source), options, providers=["CPUExecutionProvider"])


def outputs_of(session: InferenceSession, feed: Feed) -> Outputs:
    """All outputs by their names."""
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, feed), strict=True))
