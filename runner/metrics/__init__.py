"""What measures the families of metrics; `families` declares them, and imports nothing heavy."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast

from runner.base.progress import Progress
from runner.registry.metrics import Family

if TYPE_CHECKING:
    from runner.recipe.types import Dataset


class Measuring(Protocol):
    """What measures a family: its module.

    `model` is a complete model folder. `params` are a check's settings, `runtime` the OpenVINO properties.
    `progress(done, total)` is called now and then, and at the end with done == total.
    """

    def reference(
        self,
        model: Path,
        dataset: Dataset,
        params: Mapping[str, object],
        runtime: Mapping[str, object],
        out: Path,
        progress: Progress,
    ) -> None:
        """Store what `evaluate` compares with, from the uncompressed model, in the empty folder `out`.

        Raises:
            SourceError: the dataset or the parameters don't fit the model.
            RecipeError: a property of `runtime` that OpenVINO refuses.
            OSError: the disk is full; found before the work where the size is known.
        """

    def evaluate(
        self,
        model: Path,
        dataset: Dataset,
        params: Mapping[str, object],
        runtime: Mapping[str, object],
        reference: Path | None,
        progress: Progress,
    ) -> dict[str, object]:
        """Measure all metrics of the family.

        Returns:
            {"values": {metric: number}, "reference_values": {metric: number}, "protocol": {…}, "details": {…}}, plain
            data for JSON. `reference_values` has those of the uncompressed model that its stored outputs tell.

        Raises:
            as `reference`.
        """


def measuring(family: Family) -> Measuring:
    """What measures a family that runs models itself; it imports what it needs."""
    return cast(Measuring, importlib.import_module(family.module))
