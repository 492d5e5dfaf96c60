"""A published version as an object: its manifest, and the model as its users load it."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from runner.artifact.versions import load_manifest
from runner.base.python import without_telemetry
from runner.errors import SourceError

_CLASSES = {
    "audio-classification": "OVModelForAudioClassification",
    "automatic-speech-recognition": "OVModelForSpeechSeq2Seq",
    "feature-extraction": "OVModelForFeatureExtraction",
    "fill-mask": "OVModelForMaskedLM",
    "image-classification": "OVModelForImageClassification",
    "image-text-to-text": "OVModelForVisualCausalLM",
    "question-answering": "OVModelForQuestionAnswering",
    "text-classification": "OVModelForSequenceClassification",
    "text-generation": "OVModelForCausalLM",
    "text2text-generation": "OVModelForSeq2SeqLM",
    "token-classification": "OVModelForTokenClassification",
    "zero-shot-image-classification": "OVModelForZeroShotImageClassification",
}
"""Optimum's task names, without `-with-past`, and the class of Optimum Intel that its users load such a model with."""


@dataclass(frozen=True)
class Version:
    """A published version.

    Attributes:
        path: its folder.
    """

    path: Path

    @property
    def name(self) -> str:
        """Of the recipe."""
        return str(self.manifest["name"])

    @property
    def number(self) -> int:
        """N of `outputs/<recipe>/<N>`."""
        return int(self.manifest["version"])

    @cached_property
    def manifest(self) -> dict[str, Any]:
        """How it was made, as manifest.json has it.

        Raises:
            SourceError: it can't be read.
        """
        return load_manifest(self.path)

    @property
    def checks(self) -> list[dict[str, Any]]:
        """What was measured, and the verdict of each gate."""
        return list(self.manifest["checks"])

    def load(self, device: str = "CPU") -> Any:
        """The model as its users load it.

        Args:
            device: an OpenVINO device name.

        Returns:
            an `OVModelFor…` of Optimum Intel for a task that has one, else an `ov.CompiledModel`.

        Raises:
            SourceError: OpenVINO or Optimum Intel can't load it.
        """
        without_telemetry()
        task = str(self.manifest["model"].get("task")).removesuffix("-with-past")
        try:
            if task in _CLASSES:
                kind = getattr(importlib.import_module("optimum.intel"), _CLASSES[task])
                return kind.from_pretrained(str(self.path), export=False, device=device)
            return importlib.import_module("openvino").Core().compile_model(self.path / "openvino_model.xml", device)
        except Exception as error:  # whatever these libraries raise
            message = f"{self.path} can't be loaded: {error}"
            raise SourceError(message) from error
