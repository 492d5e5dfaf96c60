"""The best class of each word of a row, or of each token where rows are plain texts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from runner.data.feeding.texts import Encoded, Texts
from runner.errors import SourceError
from runner.metrics.predicting import Asked, Batch, Given
from runner.model.classes import class_names
from runner.model.runtime import Compiled
from runner.model.streams import in_order

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from runner.model.feed import Feed

_OUTSIDE = "O"
_NONE = -1


def predict(asked: Asked) -> Given:
    """As `runner.metrics.predicting.Predictor` says.

    A word has the class of its first token. One that has none, or for which there was no room, is outside of all
    entities, or has class -1 where no class is called so; `protocol` counts them.
    """
    compiled = asked.compiled_for_rows()
    texts = Texts(asked.folder, compiled.inputs)
    protocol: dict[str, object] = {"output": compiled.outputs[0], "runtime": dict(compiled.runtime)}
    classes = class_names(asked.folder)
    batches = _rows(asked, compiled, texts, classes, protocol)
    return Given(asked.count, batches, protocol, compiled.outputs[0], classes)


def _rows(
    asked: Asked, compiled: Compiled, texts: Texts, classes: tuple[str, ...], protocol: dict[str, object]
) -> Iterator[Batch]:
    outside = classes.index(_OUTSIDE) if _OUTSIDE in classes else _NONE
    lacking = 0
    for (told, found), _, outputs in in_order(compiled, _feeds(asked, texts)):
        best = _best(compiled, outputs[0], len(found.ids))
        given = best[~found.special] if told is None else _of_words(best, found, len(told), outside)
        lacking += 0 if told is None else len(told) - len(_firsts(found))
        yield [given], {}
    protocol |= {**texts.told(), "words_without_token": lacking}


def _feeds(asked: Asked, texts: Texts) -> Iterator[tuple[tuple[list[str] | None, Encoded], Feed]]:
    """The words of each row, if it has words, and its tokens."""
    for row in asked.rows():
        words = row.values.get("tokens")
        told = [str(word) for word in words] if isinstance(words, list) else None
        found = texts.encode(told if told is not None else str(row.values["text"]))
        yield (told, found), texts.of(found)


def _best(compiled: Compiled, output: NDArray[np.float32], tokens: int) -> NDArray[np.int64]:
    """The best class of each token; -1 where a score is no number."""
    if output.ndim != 3 or output.shape[1] < tokens:
        message = f"{compiled.folder}: the first output has shape {list(output.shape)}, not [1, tokens, classes]"
        raise SourceError(message)
    scores = output[0, :tokens]
    return np.where(np.isfinite(scores).all(-1), scores.argmax(-1), _NONE)


def _of_words(best: NDArray[np.int64], found: Encoded, words: int, outside: int) -> NDArray[np.int64]:
    given = np.full(words, outside, np.int64)
    for word, token in _firsts(found).items():
        given[word] = best[token]
    return given


def _firsts(found: Encoded) -> dict[int, int]:
    """Word -> its first token."""
    firsts: dict[int, int] = {}
    for token, word in enumerate(found.words):
        if word is not None:
            firsts.setdefault(word, token)
    return firsts
