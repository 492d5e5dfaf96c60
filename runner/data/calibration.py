"""Calibration items: a dataset as the list of input sets that NNCF runs through a model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from runner.data import read_arrays, read_pairs, read_text
from runner.data.pieces import piece_feed, text_pieces
from runner.data.tokens import Tokenizer
from runner.errors import SourceError
from runner.model.feed import Feed, Port, array_feed, bind, check_takes_text, fixed_batch, ports
from runner.recipe.datasets import kinds

if TYPE_CHECKING:
    from runner.recipe.types import Dataset

_DEFAULT_LENGTH = 128
_PROCESSED, _WORDS = frozenset({"image", "audio"}), frozenset({"text", "pairs"})
"""Roles that need a processor, and those that need a tokenizer alone."""


def calibration_items(
    dataset: Dataset, model: object, folder: Path, subset_size: int, seed: int, sequence_length: int | None = None
) -> list[Feed]:
    """Input sets by input name, for all inputs that the model has, of batch 1 or the model's fixed batch.

    Args:
        dataset: a text for a language model, images or sounds for what has a processor of them, arrays for any other.
        model: the `ov.Model` to calibrate.
        folder: the model's folder, where its tokenizer and its processors are.
        subset_size: how many items at most; of more, a sample drawn with `seed`, in the dataset's order.
        seed: of the draw; equal seeds give equal items.
        sequence_length: tokens an item; by default 128, or the model's positions if fewer.

    Raises:
        SourceError: the dataset can't feed the model, or can't be read.
    """
    inputs = ports(model)
    given = kinds(dataset)
    if "arrays" in given:
        return _array_items(dataset, inputs, subset_size, seed)
    if given & _PROCESSED and ("images" in given or given.isdisjoint(_WORDS)):
        return _fed_items(dataset, inputs, folder, subset_size, seed)
    check_takes_text(inputs, dataset.name)
    return _text_items(dataset, inputs, Tokenizer(folder), subset_size, seed, sequence_length)


def _array_items(dataset: Dataset, inputs: tuple[Port, ...], subset_size: int, seed: int) -> list[Feed]:
    arrays = read_arrays(dataset)
    bound = bind(inputs, arrays.inputs, dataset.name)
    size = fixed_batch(inputs) or 1
    if len(arrays) < size:
        message = f"dataset {dataset.name} has {len(arrays)} items; the model takes {size} at a time"
        raise SourceError(message)
    chosen = draw(len(arrays) // size, subset_size, seed)
    return [array_feed(bound, arrays.batch(index * size, (index + 1) * size), dataset.name) for index in chosen]


def _fed_items(dataset: Dataset, inputs: tuple[Port, ...], folder: Path, subset_size: int, seed: int) -> list[Feed]:
    """Rows by the model's own processors, as in the stage `predict`; those that are not drawn are not decoded."""
    from runner.data import table
    from runner.data.feeding import feeder

    feeds = feeder(folder, inputs, kinds(dataset), dataset.preprocess)
    chosen = set(draw(table.count(dataset), subset_size, seed))
    return [feeds.feed(row) for index, row in enumerate(table.rows(dataset)) if index in chosen]


def _text_items(
    dataset: Dataset,
    inputs: tuple[Port, ...],
    tokenizer: Tokenizer,
    subset_size: int,
    seed: int,
    sequence_length: int | None,
) -> list[Feed]:
    length = min(sequence_length or _DEFAULT_LENGTH, tokenizer.positions or sequence_length or _DEFAULT_LENGTH)
    pieces = text_pieces(inputs, tokenizer, text_rows(dataset), length, dataset.name)
    return [piece_feed(inputs, pieces[index], tokenizer.pad) for index in draw(len(pieces), subset_size, seed)]


def text_rows(dataset: Dataset) -> list[str]:
    """The dataset's texts; without a text column, each prompt with its reply."""
    if "text" in kinds(dataset) or "pairs" not in kinds(dataset):
        return read_text(dataset)
    return [prompt + reply for prompt, reply in read_pairs(dataset)]


def draw(items: int, subset_size: int, seed: int) -> list[int]:
    """The places of a sample, in order: of all items where there are no more than wanted."""
    if items <= subset_size:
        return list(range(items))
    chosen = np.random.default_rng(seed).choice(items, subset_size, replace=False)
    return [int(index) for index in np.sort(chosen)]
