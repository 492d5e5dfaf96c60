"""What accuracy control is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from runner.metrics.predicting import Rows
from runner.recipe.types import AccuracyControl


@dataclass(frozen=True)
class Control:
    """How much worse a metric may be, and how it is measured.

    Attributes:
        settings: of the recipe; the dataset is named by its role.
        family: of metrics, and
        family_revision: of what measures it.
        runtime: OpenVINO properties.
        cpu: what shapes numbers in this processor.
        rows: what the metric is measured on; None for metrics that run the model themselves.
    """

    settings: AccuracyControl
    family: str
    family_revision: int
    runtime: Mapping[str, object]
    cpu: tuple[str, ...]
    rows: Rows | None = None
