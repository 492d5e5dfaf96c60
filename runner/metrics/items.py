"""A metric item by item, for a search that looks at chosen items of a dataset again and again.

An item gives values, one a token or row of outputs; the metric is their mean, for perplexity its exponential. An
item is what the model takes at a time: one array or a fixed batch of them, a window or a piece of a text.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from runner.base.values import Array
from runner.data import read_arrays, read_text
from runner.data.arrays import Arrays
from runner.data.pieces import text_pieces
from runner.data.tokens import Tokenizer, Window, context, passage
from runner.metrics.causal import refuse_not_causal
from runner.metrics.coded import CodedFile, CodedRows, dither
from runner.metrics.kld import Scores, compare, log_probabilities, same_top
from runner.metrics.output_error import Tally
from runner.metrics.passes import Block, item_outputs, piece_outputs, scored_tokens
from runner.model.feed import check_takes_text, fixed_batch
from runner.model.runtime import Compiled
from runner.recipe.datasets import kinds

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from runner.recipe.types import Dataset

Values = Callable[[Compiled, int], "Array"]
"""The values of one item, told by its number."""


@dataclass(frozen=True)
class Items:
    """The items of a dataset under one metric."""

    count: int
    values: Values
    finish: Callable[[float], float] = float

    def measure(self, compiled: Compiled, chosen: Sequence[int]) -> tuple[float, list[float]]:
        """The metric over the chosen items, and of each of them."""
        parts = [np.asarray(self.values(compiled, index), np.float64) for index in chosen]
        return self.finish(float(np.concatenate(parts).mean())), [self.finish(float(part.mean())) for part in parts]

    def close(self) -> None:
        """Nothing is held open."""


def items(metric: str, original: Compiled, dataset: Dataset, params: Mapping[str, object], folder: Path) -> Items:
    """The items of a dataset.

    Args:
        metric: perplexity, kl_divergence, same_top_token or cosine_similarity.
        original: the model that others are compared with.
        dataset: what is measured on.
        params: `context_length`, for texts.
        folder: an empty folder for what the original model puts out.

    Raises:
        SourceError: the dataset doesn't fit the model.
        StageError: the runtime fails.
        OSError: the disk is full.
    """
    if metric == "cosine_similarity":
        return _outputs(original, dataset, params, folder)
    return _windows(metric, original, dataset, params, folder)


def _windows(metric: str, original: Compiled, dataset: Dataset, params: Mapping[str, object], folder: Path) -> Items:
    """Windows of a text; the original model's distributions lie in `folder`, a folder a window."""
    text = passage(Tokenizer(original.folder), read_text(dataset), params, dataset.name)
    refuse_not_causal(original, text)

    def scores(compiled: Compiled, window: Window, score: Callable[..., Scores]) -> Scores:
        one = replace(text, windows=(window,), protocol={**text.protocol, "tokens_scored": window.scored})
        return Scores.join([score(block) for block in scored_tokens(compiled, one, _quiet)])

    tops, random = [], dither()
    for index, window in enumerate(text.windows):
        (folder / str(index)).mkdir()
        with CodedFile(folder / str(index)) as file:

            def keep(block: Block, file: CodedFile = file) -> Scores:
                coded, kept = log_probabilities(block.logits, block.targets, random)
                file.append(coded, block.logits.shape[1])
                return kept

            tops.append(scores(original, window, keep).top)

    def values(compiled: Compiled, index: int) -> Array:
        with CodedRows(folder / str(index)) as stored:
            found = scores(compiled, text.windows[index], lambda b: compare(b.logits, b.targets, stored[b.rows]))
        same = same_top(found.top, tops[index])
        told = {"perplexity": found.loss, "kl_divergence": found.divergence, "same_top_token": same}
        return np.asarray(told[metric])

    return Items(len(text.windows), values, _exp if metric == "perplexity" else float)


def _outputs(original: Compiled, dataset: Dataset, params: Mapping[str, object], folder: Path) -> Items:
    """The first output; the original model's lies in `folder`, a file an item."""
    count, rows = _first_output(original, dataset, params)
    for index in range(count):
        np.save(folder / f"{index}.npy", rows(original, index))

    def values(compiled: Compiled, index: int) -> Array:
        tally = Tally()
        tally.add(rows(compiled, index), np.load(folder / f"{index}.npy"))
        return np.concatenate(tally.cosines)

    return Items(count, values)


def _first_output(original: Compiled, dataset: Dataset, params: Mapping[str, object]) -> tuple[int, Values]:
    """How many items there are, and a function that gives the rows [n, size] of one's first output."""
    if "arrays" in kinds(dataset):
        arrays, size = read_arrays(dataset), fixed_batch(original.inputs) or 1

        def of_arrays(compiled: Compiled, index: int) -> Array:
            part: Arrays = arrays.take(index * size, (index + 1) * size)
            return _rows(item_outputs(compiled, part, dataset.name, _quiet))

        return -(-len(arrays) // size), of_arrays
    check_takes_text(original.inputs, dataset.name)
    tokenizer = Tokenizer(original.folder)
    length, _ = context(tokenizer, params)
    pieces = text_pieces(original.inputs, tokenizer, read_text(dataset), length, dataset.name)
    return len(pieces), lambda c, index: _rows(piece_outputs(c, pieces[index : index + 1], tokenizer.pad, _quiet))


def _rows(found: Any) -> NDArray[np.float32]:
    firsts = [np.array(outputs[0], np.float32) for outputs in found]
    return np.concatenate([first.reshape(len(first) if first.ndim else 1, -1) for first in firsts])


def _exp(value: float) -> float:
    return float(np.exp(value))


def _quiet(done: int, total: int) -> None:
    """No progress: the search tells its own."""
