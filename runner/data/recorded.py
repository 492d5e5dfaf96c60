"""What goes into a part of a model that other parts feed, recorded while the whole is used on a dataset."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from runner.data.calibration import draw, text_rows
from runner.model.feed import Feed
from runner.model.trial import load, tried

if TYPE_CHECKING:
    from runner.base.values import Array
    from runner.recipe.types import Dataset

_STEPS = 4
"""In which a pipeline removes noise."""


@dataclass(frozen=True)
class Wanted:
    """What is to be recorded.

    Attributes:
        dataset: what the whole model is used on.
        count: the most items to record.
        seed: of the draw from the dataset.
    """

    dataset: Dataset
    count: int
    seed: int


def of_pipeline(folder: Path, loaded_by: str, part: str, wanted: Wanted) -> Iterator[Feed]:
    """The inputs of a part of a pipeline that draws what each line of the texts says, in few steps.

    Args:
        loaded_by: a class of Optimum Intel that takes texts.
    """
    texts = [line for row in text_rows(wanted.dataset) for line in row.splitlines() if line.strip()]
    pipe = load(folder, loaded_by)
    pipe.set_progress_bar_config(disable=True)
    network, heard = getattr(pipe, part), list[Feed]()
    network.request = _Listening(network.request, heard)
    recorded = 0
    for index in draw(len(texts), wanted.count, wanted.seed):
        tried(folder, lambda index=index: pipe(texts[index], num_inference_steps=_STEPS, output_type="np"))
        yield from heard[: wanted.count - recorded]
        recorded += len(heard)
        heard.clear()
        if recorded >= wanted.count:
            return


class _Listening:
    """A compiled model of Optimum Intel that keeps what it is fed."""

    def __init__(self, compiled: object, heard: list[Feed]) -> None:
        self.compiled, self.heard = compiled, heard

    def __call__(self, inputs: Mapping[str, Array], *args: object, **options: object) -> object:
        self.heard.append({name: np.array(array) for name, array in inputs.items()})
        return self.compiled(inputs, *args, **options)  # type: ignore[operator]

    def __getattr__(self, name: str) -> object:
        return getattr(self.compiled, name)


def write(items: Iterable[Feed], out: Path) -> int:
    """Write each item into a file of its own in the folder `out`; how many there are."""
    count = 0
    for count, item in enumerate(items, start=1):
        np.savez(out / f"{count:06}.npz", **item)  # type: ignore[arg-type]
    return count


class Written:
    """The items of a folder in their order, each read when it is asked for."""

    def __init__(self, folder: Path) -> None:
        self.files = sorted(folder.glob("*.npz"))

    def __len__(self) -> int:
        return len(self.files)

    def __iter__(self) -> Iterator[Feed]:
        for file in self.files:
            with np.load(file, allow_pickle=False) as stored:
                yield dict(stored)
