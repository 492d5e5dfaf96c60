"""Runs an ONNX or a TensorFlow Lite file in its own library, in the place of the model that was converted of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from runner.base.values import Array
from runner.errors import SourceError, StageError
from runner.export import litert, onnx_runtime
from runner.export.damage import reason_of
from runner.export.given import Outputs
from runner.model.feed import Feed
from runner.model.opening import SOURCE, Opening
from runner.registry.originals import FILE_RUNNERS


def opened(folder: Path, opening: Opening) -> InLibrary:
    """As `runner.model.original.Opens` says."""
    path = folder / SOURCE / opening.name
    try:
        return InLibrary(path)
    except Exception as error:  # whatever these libraries raise
        message = f"{path}: can't be loaded: {reason_of(error)}"
        raise SourceError(message) from error


class InLibrary:
    """The model."""

    def __init__(self, path: Path) -> None:
        kind = path.suffix.removeprefix(".")
        self.path, self.infer = path, _LOADED[kind](path)
        self.by = f"{FILE_RUNNERS[kind].name} {FILE_RUNNERS[kind].version}"

    def run(self, feed: Feed) -> Mapping[str, Array]:
        """As `runner.model.original.Runs` says."""
        try:
            return self.infer(feed)
        except Exception as error:  # whatever these libraries raise
            message = f"{self.path}: inference failed: {reason_of(error)}"
            raise StageError(message) from error


def _onnx(path: Path) -> Callable[[Feed], Outputs]:
    session = onnx_runtime.loaded(path)
    return lambda feed: onnx_runtime.outputs_of(session, feed)


_LOADED: Mapping[str, Callable[[Path], Callable[[Feed], Outputs]]] = {
    "onnx": _onnx,
    "tflite": lambda path: litert.Original(path).run,
}
