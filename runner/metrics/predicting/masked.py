"""The best token in each place that a text masks, as text, or the scores of all tokens there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

import runner.base.files as fs
from runner.data.feeding.texts import Texts
from runner.errors import SourceError
from runner.metrics.predicting import Asked, Batch, Given
from runner.model.runtime import Compiled
from runner.model.streams import in_order

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from runner.model.feed import Feed


def predict(asked: Asked) -> Given:
    """As `runner.metrics.predicting.Predictor` says."""
    compiled = asked.compiled_for_rows()
    texts = Texts(asked.folder, compiled.inputs)
    mask = _mask(texts)
    protocol: dict[str, object] = {"output": compiled.outputs[0], "mask": mask, "runtime": dict(compiled.runtime)}
    batches = _rows(asked, compiled, texts, mask, protocol)
    return Given(asked.count, batches, protocol, compiled.outputs[0])


def _mask(texts: Texts) -> str:
    """The text that stands for a masked token.

    Raises:
        SourceError: the tokenizer has none.
    """
    found = fs.read_object(texts.folder / "tokenizer_config.json").get("mask_token")
    found = found.get("content") if isinstance(found, dict) else found
    if not isinstance(found, str):
        message = f"{texts.folder}: tokenizer_config.json names no `mask_token`"
        raise SourceError(message)
    return found


def _rows(asked: Asked, compiled: Compiled, texts: Texts, mask: str, protocol: dict[str, object]) -> Iterator[Batch]:
    for places, _, outputs in in_order(compiled, _feeds(asked, texts, mask)):
        scores = _scores(compiled, outputs, places)
        whole = asked.gives == "masked scores"
        yield [scores if whole else [_text(texts.tokenizer.backend, token) for token in _best(scores)]], {}
    protocol |= texts.told()


def _feeds(asked: Asked, texts: Texts, mask: str) -> Iterator[tuple[NDArray[np.int64], Feed]]:
    """The masked places of each row."""
    backend = texts.tokenizer.backend
    number = getattr(backend, "token_to_id", None) or backend.convert_tokens_to_ids
    for row in asked.rows():
        found = texts.encode(str(row.values["text"]))
        places = np.flatnonzero(found.ids == number(mask))
        if not len(places):
            message = f"{row.where}: the text has no {mask}, which stands for a masked token, in what the model reads"
            raise SourceError(message, hint=f"Write {mask} for each token that is to be found.")
        yield places, texts.of(found)


def _scores(compiled: Compiled, outputs: list[NDArray[np.float32]], places: NDArray[np.int64]) -> NDArray[np.float32]:
    """The scores of all tokens in each place, [places, vocabulary]."""
    scores = outputs[0]
    if scores.ndim != 3 or scores.shape[1] <= places.max():
        message = f"{compiled.folder}: the first output has shape {list(scores.shape)}, not [1, tokens, vocabulary]"
        raise SourceError(message)
    return np.asarray(scores[0, places], np.float32)


def _best(rows: NDArray[np.float32]) -> list[int | None]:
    """The best token of each place; None where a score is no number."""
    return [int(row.argmax()) if np.isfinite(row).all() else None for row in rows]


def _text(backend: object, token: int | None) -> str:
    if token is None:
        return ""
    decode = backend.decode  # type: ignore[attr-defined]
    return str(decode([token], skip_special_tokens=False))
