"""A text in pieces that a model takes one at a time, for calibration and for output errors."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from runner.data.tokens import Tokenizer, prefix, stream
from runner.errors import SourceError
from runner.model.feed import Feed, Port, keeps_state, token_feed
from runner.recipe.conversion import ANY, Span

if TYPE_CHECKING:
    from numpy.typing import NDArray


def text_pieces(
    inputs: tuple[Port, ...], tokenizer: Tokenizer, rows: list[str], length: int, dataset: str
) -> list[NDArray[np.int64]]:
    """Token ids of at most `length`, or of what the model fixes.

    A decoder gets the stream of all rows, cut; any other model each row by itself.

    Raises:
        SourceError: the dataset has no tokens.
    """
    length = fixed_length(inputs) or min(length, _lengths(inputs)[1] or length)
    cut = _decoder_pieces if keeps_state(inputs) else _row_pieces
    pieces = cut(tokenizer, rows, length)
    if not pieces:
        message = f"dataset {dataset} has no tokens"
        raise SourceError(message)
    return pieces


def piece_feed(inputs: tuple[Port, ...], ids: NDArray[np.int64], pad: int) -> Feed:
    """A piece as the model's inputs, filled up with padding to the least length that the model takes."""
    missing = max(0, _lengths(inputs)[0] - len(ids))
    return token_feed(inputs, np.pad(ids, (0, missing), constant_values=pad), length=len(ids))


def fixed_length(inputs: tuple[Port, ...]) -> int | None:
    """The sequence length that the model was made for, if it is fixed."""
    shapes = [port.shape for port in inputs if port.name == "input_ids"]
    return shapes[0][1] if shapes and len(shapes[0]) == 2 else None


def _lengths(inputs: tuple[Port, ...]) -> Span:
    """The least and the most tokens that the model takes."""
    ids = [port for port in inputs if port.name == "input_ids" and len(port.shape) == 2]
    return ids[0].span(1) if ids else ANY


def _decoder_pieces(tokenizer: Tokenizer, rows: list[str], length: int) -> list[NDArray[np.int64]]:
    """Windows of `length`, each with the start token where the tokenizer adds one; a shorter one only if alone."""
    ids, before = stream(tokenizer, rows), prefix(tokenizer)
    step = length - len(before)
    pieces = [np.concatenate([before, ids[start : start + step]]) for start in range(0, len(ids), step)]
    return pieces[:-1] if len(pieces) > 1 and len(pieces[-1]) < length else pieces


def _row_pieces(tokenizer: Tokenizer, rows: list[str], length: int) -> list[NDArray[np.int64]]:
    """Each row with the tokens that the tokenizer puts around it, cut to windows."""
    encoded = [np.asarray(tokenizer.encode(row, special=True), np.int64) for row in rows]
    return [ids[start : start + length] for ids in encoded for start in range(0, len(ids), length)]
