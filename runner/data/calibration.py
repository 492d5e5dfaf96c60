"""Calibration items: a dataset as the list of input sets that NNCF runs through a model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from runner.data import kinds, read_arrays, read_text
from runner.data.feed import Feed, Port, array_feed, bind, keeps_state, ports, takes_tokens, token_feed
from runner.data.tokens import Tokenizer, stream
from runner.errors import SourceError
from runner.recipe.types import Dataset

if TYPE_CHECKING:
    from numpy.typing import NDArray

_DEFAULT_LENGTH = 128


def calibration_items(
    dataset: Dataset, model: Any, folder: Path, subset_size: int, seed: int, sequence_length: int | None = None
) -> list[Feed]:
    """Input sets of batch 1, by input name, for all inputs that the model has.

    Args:
        dataset: a text for a language model, arrays for any other.
        model: the `ov.Model` to calibrate.
        folder: the model's folder, where its tokenizer is.
        subset_size: how many items at most; of more, a sample drawn with `seed`, in the dataset's order.
        seed: of the draw; equal seeds give equal items.
        sequence_length: tokens an item; by default 128, or the model's positions if fewer.

    Raises:
        SourceError: the dataset can't feed the model, or can't be read.
    """
    inputs = ports(model)
    if "arrays" in kinds(dataset):
        return _array_items(dataset, inputs, subset_size, seed)
    if not takes_tokens(inputs):
        needs = ", ".join(str(port) for port in inputs)
        message = f"dataset {dataset.name} can't feed the model: the model's inputs are {needs}; the dataset has text"
        raise SourceError(message, hint="Calibrate this model with an npz dataset.")
    return _text_items(dataset, inputs, Tokenizer(folder), subset_size, seed, sequence_length)


def _array_items(dataset: Dataset, inputs: tuple[Port, ...], subset_size: int, seed: int) -> list[Feed]:
    arrays = read_arrays(dataset)
    bound = bind(inputs, arrays.inputs, dataset.name)
    chosen = _draw(len(arrays), subset_size, seed)
    return [array_feed(bound, arrays.batch(index, index + 1), dataset.name) for index in chosen]


def _text_items(
    dataset: Dataset,
    inputs: tuple[Port, ...],
    tokenizer: Tokenizer,
    subset_size: int,
    seed: int,
    sequence_length: int | None,
) -> list[Feed]:
    fixed = next(port.shape[1] for port in inputs if port.name == "input_ids")
    limit = tokenizer.positions or sequence_length or _DEFAULT_LENGTH
    length = fixed or min(sequence_length or _DEFAULT_LENGTH, limit)
    rows = text_rows(dataset, tokenizer)
    pieces = _decoder_pieces(tokenizer, rows, length) if keeps_state(inputs) else _row_pieces(tokenizer, rows, length)
    chosen = _draw(len(pieces), subset_size, seed)
    return [_text_item(inputs, pieces[index], fixed, tokenizer.pad) for index in chosen]


def _text_item(inputs: tuple[Port, ...], ids: NDArray[np.int64], fixed: int | None, pad: int) -> Feed:
    """One window, filled up with padding where the model's length is fixed."""
    missing = max(0, (fixed or 0) - len(ids))
    return token_feed(inputs, np.pad(ids, (0, missing), constant_values=pad), length=len(ids))


def text_rows(dataset: Dataset, tokenizer: Tokenizer) -> list[str]:
    """The dataset's texts; questions and their replies count as texts too, with the end token between."""
    if dataset.column or "pairs" not in kinds(dataset):
        return read_text(dataset)
    from runner.data import read_pairs

    return [prompt + reply for prompt, reply in read_pairs(dataset)]


def _decoder_pieces(tokenizer: Tokenizer, rows: list[str], length: int) -> list[NDArray[np.int64]]:
    """The stream of all rows in windows of `length`; a last, shorter one counts only when it is alone."""
    ids = stream(tokenizer, rows)
    pieces = [ids[start : start + length] for start in range(0, len(ids), length)]
    return pieces[:-1] if len(pieces) > 1 and len(pieces[-1]) < length else pieces


def _row_pieces(tokenizer: Tokenizer, rows: list[str], length: int) -> list[NDArray[np.int64]]:
    """Each row by itself, with the tokens that the tokenizer puts around it, cut into windows of `length`."""
    encoded = [np.asarray(tokenizer.encode(row, special=True), np.int64) for row in rows]
    return [ids[start : start + length] for ids in encoded for start in range(0, len(ids), length)]


def _draw(items: int, subset_size: int, seed: int) -> list[int]:
    if items <= subset_size:
        return list(range(items))
    chosen = np.random.default_rng(seed).choice(items, subset_size, replace=False)
    return [int(index) for index in np.sort(chosen)]
