"""What goes into a part of a model that other parts feed, recorded while the whole is used on a dataset."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from runner.data.calibration import calibration_items, draw, text_rows
from runner.model.feed import Feed
from runner.model.parts import Model
from runner.model.trial import load, tried
from runner.recipe.accuracy import RUNTIME

if TYPE_CHECKING:
    from runner.base.values import Array
    from runner.recipe.types import Dataset

_STEPS = 4
"""In which a pipeline removes noise."""
_FEWEST, _MOST = 16, 128
"""Tokens of an answer that are recorded: no more than it takes to have enough of them of all answers together."""
_RESET = "nncf_reset_state"
"""Among an item's inputs, NNCF's own: whether the model's state is forgotten before. Without it, it always is."""
_NAMES = "names of the inputs"
"""Among the arrays of a file, ours: the names of the item's inputs."""


class Writer(Protocol):
    """A model that writes, of a class of Optimum Intel."""

    def generate(self, **settings: object) -> object:
        """Write."""


@dataclass(frozen=True)
class Wanted:
    """What is to be recorded.

    Attributes:
        dataset: what the whole model is used on.
        count: the most items to record.
        seed: of the draw from the dataset.
        length: the most tokens that an encoder reads at once; by default those of calibration.
    """

    dataset: Dataset
    count: int
    seed: int
    length: int | None = None


def of_pipeline(folder: Path, loaded_by: str, part: str, wanted: Wanted) -> Iterator[Feed]:
    """The inputs of a part of a pipeline that draws what each line of the texts says, in few steps.

    Args:
        loaded_by: a class of Optimum Intel that takes texts.
    """
    texts = [line for row in text_rows(wanted.dataset) for line in row.splitlines() if line.strip()]
    pipe = load(folder, loaded_by, ov_config=dict(RUNTIME))
    pipe.set_progress_bar_config(disable=True)
    network, heard = getattr(pipe, part), list[Feed]()
    network.request = Listening(network.request, heard)
    recorded = 0
    for index in draw(len(texts), wanted.count, wanted.seed):
        tried(folder, lambda index=index: pipe(texts[index], num_inference_steps=_STEPS, output_type="np"))
        yield from heard[: wanted.count - recorded]
        recorded += len(heard)
        heard.clear()
        if recorded >= wanted.count:
            return


def of_writing(folder: Path, loaded_by: str, part: str, wanted: Wanted) -> Iterator[Feed]:
    """The inputs of a decoder that writes, token by token, about what an encoder reads of the dataset.

    Answers are those of greedy decoding, so that equal datasets give equal items; a state is recorded by the inputs
    that made it, each answer from its beginning.

    Args:
        loaded_by: a class of Optimum Intel.
    """
    encoder = Model.of(folder).read("encoder")
    feeds = calibration_items(wanted.dataset, encoder, folder, wanted.count, wanted.seed, wanted.length)
    model = load(folder, loaded_by, ov_config=dict(RUNTIME))
    decoder, heard = getattr(model, part), list[Feed]()
    decoder.compile()
    decoder.request = Listening(decoder.request, heard)
    recorded, tokens = 0, _tokens(model.config, wanted.count, len(feeds))
    for index in np.random.default_rng(wanted.seed).permutation(len(feeds)):
        tried(folder, lambda index=index: _write(model, feeds[index], tokens))
        yield from heard[: wanted.count - recorded]
        recorded += len(heard)
        heard.clear()
        if recorded >= wanted.count:
            return


def _tokens(config: object, wanted: int, answers: int) -> int:
    """How many tokens an answer may have: half of the model's positions are for what a task puts before it."""
    positions = [getattr(config, name, None) for name in ("max_target_positions", "max_position_embeddings")]
    most = min([_MOST, *(size // 2 for size in positions if isinstance(size, int))])
    return min(most, max(_FEWEST, math.ceil(wanted / answers)))


def _write(model: Writer, feed: Feed, tokens: int) -> None:
    import torch

    inputs = {name: torch.from_numpy(array) for name, array in feed.items()}
    model.generate(**inputs, max_new_tokens=tokens, do_sample=False, num_beams=1, num_return_sequences=1)


class Listening:
    """A compiled model of Optimum Intel, or a request of one, that keeps what it is fed."""

    def __init__(self, compiled: object, heard: list[Feed]) -> None:
        self.compiled, self.heard = compiled, heard
        self.forgotten: bool | None = None

    def __call__(self, inputs: Mapping[str, Array], *args: object, **options: object) -> object:
        self.hear(inputs)
        return self.compiled(inputs, *args, **options)  # type: ignore[operator]

    def start_async(self, inputs: Mapping[str, Array], *args: object, **options: object) -> object:
        self.hear(inputs)
        return self.compiled.start_async(inputs, *args, **options)  # type: ignore[attr-defined]

    def reset_state(self) -> None:
        self.forgotten = True
        self.compiled.reset_state()  # type: ignore[attr-defined]

    def hear(self, inputs: Mapping[str, Array]) -> None:
        """Take a copy; of a model that was told to forget its state once, with a word on whether it was just now."""
        reset = {} if self.forgotten is None else {_RESET: np.array(self.forgotten)}
        self.heard.append({name: np.array(array) for name, array in inputs.items()} | reset)
        self.forgotten = None if self.forgotten is None else False

    def __getattr__(self, name: str) -> object:
        return getattr(self.compiled, name)


def write(items: Iterable[Feed], out: Path) -> int:
    """Write each item into a file of its own in the folder `out`; how many there are.

    Arrays that are as they were in the item before are left out: what an encoder gave stays for a whole answer.
    """
    count = 0
    before: Feed = {}
    for count, item in enumerate(items, start=1):
        changed = {name: array for name, array in item.items() if not _equal(array, before.get(name))}
        np.savez(out / f"{count:06}.npz", **changed, **{_NAMES: np.array(list(item))})  # type: ignore[arg-type]
        before = item
    return count


def _equal(array: Array, before: Array | None) -> bool:
    return before is not None and before.dtype == array.dtype and np.array_equal(array, before)


class Written:
    """The items of a folder in their order, each read when it is asked for."""

    def __init__(self, folder: Path) -> None:
        self.files = sorted(folder.glob("*.npz"))

    def __len__(self) -> int:
        return len(self.files)

    def __iter__(self) -> Iterator[Feed]:
        item: Feed = {}
        for file in self.files:
            with np.load(file, allow_pickle=False) as stored:
                told = {**item, **stored}
            item = {name: told[name] for name in told[_NAMES].tolist()}
            yield dict(item)
