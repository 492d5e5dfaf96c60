"""Which outputs go along with the tokens of a text, and these outputs without what stands for padding."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from runner.base.values import Array
from runner.data.pieces import fixed_length

if TYPE_CHECKING:
    from runner.model.runtime import Compiled

_ONE_A_TOKEN = frozenset({"start_logits", "end_logits"})


def follows_tokens(compiled: Compiled) -> tuple[bool, ...]:
    """Whether the second axis of each output counts tokens.

    It does where its size is open; in a model of a fixed length, where an output of three and more axes has that
    length, or the output is one that is known to have a number a token. What is pooled doesn't.
    """
    length = fixed_length(compiled.inputs)
    return tuple(_follows(port, length) for port in compiled.model.outputs)


def _follows(port: Any, length: int | None) -> bool:
    shape = port.partial_shape
    if shape.rank.is_dynamic or len(shape) < 2:
        return False
    if shape[1].is_dynamic:
        return True
    known = len(shape) > 2 or not _ONE_A_TOKEN.isdisjoint(port.get_names())
    return known and shape[1].get_length() == length


def token_rows(output: Array, count: int, width: int) -> Array:
    """The first `count` tokens of an output of batch 1.

    Args:
        output: shape [1, tokens], [1, tokens, size] or of more axes.
        count: how many tokens there are, the rest being padding.
        width: what the row of an output [1, tokens] is filled up to, with zeros.
    """
    if output.ndim > 2:
        return output[0, :count]
    row = np.zeros((1, max(width, count)), output.dtype)
    row[:, :count] = output[:, :count]
    return row


def without_padding(output: Array, mask: Array | None, follows: bool) -> Array:
    """An output with zeros where the attention mask [items, tokens] has them, if it follows the tokens."""
    if mask is None or not follows or output.shape[:2] != mask.shape:
        return output
    return np.where(mask.reshape(mask.shape + (1,) * (output.ndim - 2)) != 0, output, np.zeros((), output.dtype))
