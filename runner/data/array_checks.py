"""What arrays of a dataset have to be: labels, channels, finite numbers. Each raises SourceError where they aren't."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from runner.base.values import Array
from runner.data.npy import Header
from runner.errors import SourceError

if TYPE_CHECKING:
    from runner.recipe.types import Dataset

_BLOCK = 1 << 20


def check_labels(dataset: Dataset, headers: Mapping[str, Header]) -> None:
    """Labels are whole numbers, one an item."""
    if dataset.labels is None:
        return
    header = headers[dataset.labels]
    count = header.shape[0]
    if header.shape not in {(count,), (count, 1)} or header.dtype[1:2] not in {"i", "u"}:
        message = (
            f'dataset {dataset.name}: {dataset.path}: labels "{dataset.labels}" have type {header.dtype} and shape '
            f"{header.shape}; labels are class numbers, integers of shape [{count}]"
        )
        raise SourceError(message)


def check_channels(dataset: Dataset, headers: Mapping[str, Header]) -> None:
    """`mean` and `std` have one value or one a channel, and the layout one letter an axis."""
    steps = dataset.preprocess
    for name in dataset.inputs.values() if steps else ():
        assert steps is not None
        shape = headers[name].shape
        stored = steps.layout[0] if steps.layout else ""
        where = f'dataset {dataset.name}: {dataset.path}: array "{name}" of shape {list(shape)}'
        if stored and len(stored) != len(shape):
            message = f"{where} doesn't have the layout {stored}"
            raise SourceError(message)
        for key, values in (("mean", steps.mean), ("std", steps.std)):
            if len(values) > 1 and ("C" not in stored or shape[stored.index("C")] != len(values)):
                layout = f"layout {stored}" if stored else "a layout (none is given)"
                message = f"{where} doesn't have the {len(values)} channels of `{key}` in {layout}"
                raise SourceError(message)


def refuse_not_finite(dataset: Dataset, name: str, array: Array) -> None:
    """Floats are finite numbers."""
    import numpy as np

    if array.dtype.kind != "f":
        return
    step = max(1, _BLOCK // max(1, array[:1].size))
    parts = [~np.isfinite(array[start : start + step]) for start in range(0, len(array), step)]
    wrong = np.concatenate([part.reshape(len(part), -1).sum(-1) for part in parts])
    if wrong.any():
        message = (
            f'dataset {dataset.name}: {dataset.path}: array "{name}" has {int(wrong.sum())} values that aren\'t finite '
            f"numbers, in {int((wrong > 0).sum())} items, first in item {int((wrong > 0).argmax())}"
        )
        raise SourceError(message, hint="Leave these items out, or give them numbers.")
