"""A dataset of a recipe, and what is done to its arrays and images before a model gets them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Preprocess:
    """How a stored array or an image becomes a model input.

    An image is resized, cropped and given its color first. Then, of both: `(x * scale - mean) / std`, the layout, the
    dtype. `mean` and `std` have one value, or one a channel of the stored layout's C axis; an image is stored HWC.

    Attributes:
        resize: height and width; or one number, to which the shorter side is brought.
        crop: height and width of the middle that is left.
        color: RGB, BGR or GRAY, of an image.
        resample: how Pillow resizes.
    """

    scale: float = 1.0
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    layout: tuple[str, str] | None = None
    dtype: str = "float32"
    resize: tuple[int, ...] = ()
    crop: tuple[int, ...] = ()
    color: str | None = None
    resample: str | None = None


@dataclass(frozen=True)
class Dataset:
    """Data for calibration or checks.

    Attributes:
        path: of the file or the folder; of one of the hub, its id.
        format: the name of a declared one; the suffix of the file, or as stated.
        columns: role -> name of the column, or of the array, that plays it: text, image, prompt, reply, label, …
        inputs: of arrays, model input name -> array name; the key "" stands for the model's only input.
        where: column -> what a row's value has to be for it to be used; None for all rows.
        split: which part of a folder that has several.
        revision: of a dataset of the hub.
        shuffle: whether the rows come in an order that `seed` draws.
        limit: the first rows of those that are left; None for all.
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
    where: Mapping[str, object] | None = None
    split: str | None = None
    revision: str | None = None
    shuffle: bool = False
    seed: int = 0

    @property
    def labels(self) -> str | None:
        """The array or column of what each row is."""
        return self.columns.get("label")
