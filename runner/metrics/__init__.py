"""The families of metrics: a module each, imported when it is used."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

from runner.base.progress import Progress
from runner.registry.metrics import FAMILIES

if TYPE_CHECKING:
    from runner.recipe.types import Dataset


class Family(Protocol):
    """What a family's module has.

    `model` is a complete model folder. `params` are a check's settings, `runtime` the OpenVINO properties.
    `progress(done, total)` is called now and then, and at the end with done == total.
    """

    REVISION: int
    """Goes up when the family's results change."""

    LIBRARIES: tuple[str, ...]
    """Distributions whose versions shape the results."""

    NEEDS_REFERENCE: bool
    """Whether `evaluate` compares with stored outputs. With False there is no `reference` function: a reference value
    is what `evaluate` measures on the uncompressed model, and `reference` is None."""

    def reference(
        self,
        model: Path,
        dataset: Dataset,
        params: Mapping[str, Any],
        runtime: Mapping[str, Any],
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
        params: Mapping[str, Any],
        runtime: Mapping[str, Any],
        reference: Path | None,
        progress: Progress,
    ) -> dict[str, Any]:
        """Measure all metrics of the family.

        Returns:
            {"values": {metric: number}, "reference_values": {metric: number}, "protocol": {…}, "details": {…}}, plain
            data for JSON. `reference_values` has those of the uncompressed model that its stored outputs tell.

        Raises:
            as `reference`.
        """


def family(name: str) -> Family:
    """The module of a family.

    Raises:
        KeyError: there is no such family.
    """
    if name not in FAMILIES:
        raise KeyError(name)
    return cast(Family, importlib.import_module(f"runner.metrics.{name}"))
