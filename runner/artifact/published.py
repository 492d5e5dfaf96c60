"""A published version as an object: its manifest, and the model as its users load it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from runner.artifact.types import Manifest
    from runner.metrics.records import CheckRecord


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
        number = self.manifest["version"]
        assert number is not None
        return number

    @cached_property
    def manifest(self) -> Manifest:
        """How it was made, as manifest.json has it.

        Raises:
            SourceError: it can't be read.
        """
        from runner.artifact.versions import load_manifest

        return load_manifest(self.path)

    @property
    def checks(self) -> list[CheckRecord]:
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
        from runner.model import trial
        from runner.model.runtime import compile_folder
        from runner.registry.tasks import family_of

        loaded_by = family_of(self.manifest["model"].get("task")).users_load
        return trial.load(self.path, loaded_by, device) if loaded_by else compile_folder(self.path, {}, device).model
