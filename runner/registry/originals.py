"""What runs model files of other frameworks, so that a converted model can be held against its original."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from runner.base.keys import version_of


@dataclass(frozen=True)
class FileRunner:
    """A library that need not be there.

    Attributes:
        name: as it calls itself.
        module: that is imported.
        distribution: that has the module.
        extra: of ovrun, that brings it.
    """

    name: str
    module: str
    distribution: str
    extra: str

    @property
    def is_installed(self) -> bool:
        """Whether it can be imported; nothing is."""
        return importlib.util.find_spec(self.module) is not None

    @property
    def version(self) -> str:
        """That is installed."""
        return version_of(self.distribution)


FILE_RUNNERS: Mapping[str, FileRunner] = {
    "onnx": FileRunner("ONNX Runtime", "onnxruntime", "onnxruntime", "onnxruntime"),
    "tflite": FileRunner("LiteRT", "ai_edge_litert", "ai-edge-litert", "litert"),
}
"""Source, which is the end of the files' names too -> what runs them."""


def runner_of(path: Path | None) -> str | None:
    """The distribution of what would run a model file; None for others."""
    runner = FILE_RUNNERS.get(path.suffix.removeprefix(".")) if path else None
    return runner.distribution if runner else None
