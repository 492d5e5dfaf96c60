"""The score of each of a row's choices, by a model that reads all of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from runner.data.feeding.texts import Encoded, encoded, least, most_tokens
from runner.data.tokens import Tokenizer
from runner.errors import SourceError
from runner.metrics.predicting import Asked, Batch, Given
from runner.metrics.predicting.arrays import scores
from runner.model.feed import Port
from runner.model.runtime import Compiled
from runner.model.streams import in_order

if TYPE_CHECKING:
    from runner.base.values import Array
    from runner.data.table import Row
    from runner.model.feed import Feed


def predict(asked: Asked) -> Given:
    """As `runner.metrics.predicting.Predictor` says; each choice is read behind the prompt."""
    compiled = asked.compiled_for_rows()
    protocol: dict[str, object] = {"output": compiled.outputs[0], "runtime": dict(compiled.runtime)}
    batches = _rows(asked, compiled, protocol)
    return Given(asked.count, batches, protocol, compiled.outputs[0])


def _rows(asked: Asked, compiled: Compiled, protocol: dict[str, object]) -> Iterator[Batch]:
    tokenizer = Tokenizer(asked.folder)
    longest = least([most_tokens(asked.folder), *(port.shape[-1] for port in compiled.inputs if port.shape)])
    for _, _, outputs in in_order(compiled, _feeds(asked, compiled, tokenizer, longest, protocol)):
        yield np.array(scores(compiled, outputs[0])), {}


def _feeds(
    asked: Asked, compiled: Compiled, tokenizer: Tokenizer, longest: int | None, protocol: dict[str, object]
) -> Iterator[tuple[None, Feed]]:
    first, cut = 0, 0
    for row in asked.rows():
        texts = _texts(row)
        first = first or len(texts)
        if len(texts) != first:
            message = f"{row.where}: {len(texts)} choices, and the rows before have {first}"
            raise SourceError(message, hint="Rows with other numbers of choices belong into a dataset of their own.")
        found = [encoded(tokenizer, str(row.values["prompt"]), text, longest) for text in texts]
        cut += any(one.cut for one in found)
        yield None, _feed(compiled.inputs, found, tokenizer.pad)
    protocol |= {"choices": first, "rows_cut": cut, "longest": longest, "tokenizer_sha256": tokenizer.sha256}


def _texts(row: Row) -> list[str]:
    choices = row.values["choices"]
    if not isinstance(choices, list) or not choices:
        message = f"{row.where}: there are no choices"
        raise SourceError(message)
    return [str(one) for one in choices]


def _feed(inputs: tuple[Port, ...], found: list[Encoded], pad: int) -> Feed:
    """All choices side by side, [1, choices, tokens], filled up to the longest, or to what the model takes."""
    width = max(len(one.ids) for one in found)
    width = max([width, *(port.span(len(port.shape) - 1)[0] for port in inputs if port.shape)])

    def filled(arrays: list[Array], value: int) -> Array:
        return np.stack([np.pad(one, (0, width - len(one)), constant_values=value) for one in arrays])[None]

    made = {
        "input_ids": filled([one.ids for one in found], pad),
        "attention_mask": filled([np.ones_like(one.ids) for one in found], 0),
        "token_type_ids": filled([one.types for one in found], 0),
    }
    return {port.name: made[port.name].astype(port.dtype) for port in inputs}
