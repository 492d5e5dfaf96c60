"""Holds the IR of a model file against its original, where something that runs the original is installed."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from runner.export.comparing import Compared, Converted, Outputs, shapes, too_large, trials
from runner.model.feed import Feed, ports
from runner.model.parts import Model
from runner.model.varied import varied


def compare(source: Path, out: Path, precision: str, check: str) -> Compared:
    """Feed ONNX Runtime and the IR in `out` alike. What can't be compared is told in `unchecked`."""
    if source.suffix != ".onnx":
        return Compared("none", unchecked=["the model, for nothing is known that runs its original"])
    if not importlib.util.find_spec("onnxruntime"):
        return Compared(
            "none", unchecked=["the model, for ONNX Runtime, which would run its original, isn't installed"]
        )
    import onnxruntime

    found = Compared(f"ONNX Runtime {onnxruntime.__version__}")
    if large := too_large(out, precision, check):
        found.unchecked.append(large)
    else:
        _compare(source, Model.of(out), found)
    return found


def _compare(source: Path, whole: Model, found: Compared) -> None:
    told = list(trials(_Original(source).run, varied(whole.folder, ports(whole.read())), found))
    converted = Converted(whole.only)
    for feed, wanted in told:
        found.note(shapes(feed), wanted, converted.run([feed]))
    if told:
        found.tell_rest(converted.names)


class _Original:
    """An ONNX file in ONNX Runtime, which is loaded when it is first used."""

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
