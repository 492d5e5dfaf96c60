"""A dataset of a recipe, and what is done to its arrays before a model gets them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Preprocess:
    """How a stored array becomes a model input: `(x * scale - mean) / std`, then the layout, then the dtype.

    `mean` and `std` have one value, or one a channel of the stored layout's C axis.
    """

    scale: float = 1.0
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    layout: tuple[str, str] | None = None
    dtype: str = "float32"


@dataclass(frozen=True)
class Dataset:
    """Data for calibration or checks.

    Attributes:
        format: the name of a declared one; the suffix of the file, or as stated.
        columns: role -> name of the column, or of the array, that plays it: text, image, prompt, reply, label, …
        inputs: of arrays, model input name -> array name; the key "" stands for the model's only input.
        limit: the first rows of those there are; None for all.
    """

    name: str
    source: str
    path: Path
    format: str
    id: str | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    inputs: Mapping[str, str] = field(default_factory=dict)
    limit: int | None = None
    preprocess: Preprocess | None = None

    @property
    def labels(self) -> str | None:
        """The array or column of what each row is."""
        return self.columns.get("label")
