"""The answer to a question that a model finds in a text: the likeliest span of words, as transformers' pipeline has it.

A text that is too long is read in windows that overlap by 128 tokens; the answer is the likeliest of all windows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np

from runner.data.feeding.texts import Texts
from runner.data.pieces import piece_feed
from runner.data.tokens import readable
from runner.errors import SourceError
from runner.metrics.predicting import Asked, Batch, Given
from runner.model.runtime import Compiled
from runner.model.streams import in_order

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from runner.data.table import Row
    from runner.model.feed import Feed

LONGEST, OVERLAP, ANSWER = 384, 128, 15
"""Tokens of a window, those that two have in common, and those of an answer: the pipeline's."""
_FAR = -10000.0


class Encoding(Protocol):
    """An encoding of the library `tokenizers`."""

    ids: list[int]
    type_ids: list[int]
    special_tokens_mask: list[int]
    sequence_ids: list[int | None]
    offsets: list[tuple[int, int]]
    overflowing: list[Encoding]

    def token_to_word(self, token: int) -> int | None: ...

    def word_to_chars(self, word: int, sequence: int) -> tuple[int, int]: ...


class _Found(NamedTuple):
    score: float
    start: int
    stop: int


def predict(asked: Asked) -> Given:
    """As `runner.metrics.predicting.Predictor` says."""
    compiled = asked.compiled_for_rows()
    texts = Texts(asked.folder, compiled.inputs, LONGEST)
    names = [compiled.outputs.index(name) for name in ("start_logits", "end_logits") if name in compiled.outputs]
    if len(names) < 2:
        message = f"{asked.folder}: the model has no outputs start_logits and end_logits, but {list(compiled.outputs)}"
        raise SourceError(message)
    protocol: dict[str, object] = {
        "longest_answer": ANSWER,
        "longest": texts.longest,
        "tokenizer_sha256": texts.tokenizer.sha256,
        "runtime": dict(compiled.runtime),
    }
    return Given(asked.count, _rows(asked, compiled, texts, names, protocol), protocol)


def _rows(
    asked: Asked, compiled: Compiled, texts: Texts, names: list[int], protocol: dict[str, object]
) -> Iterator[Batch]:
    windows = 0
    found = in_order(compiled, _feeds(asked, compiled, texts))
    for _, group in groupby(found, lambda one: one[0][0].number):
        best, context = _Found(-1.0, 0, 0), ""
        for (row, window), _, outputs in group:
            context, tokens = str(row.values["context"]), len(window.ids)
            start, stop = (np.asarray(outputs[name], np.float64)[0, :tokens] for name in names)
            best = max(best, _answer(window, start, stop), key=lambda found: found.score)
            windows += 1
        yield [context[best.start : best.stop]], {}
    protocol["windows"] = windows


def _feeds(asked: Asked, compiled: Compiled, texts: Texts) -> Iterator[tuple[tuple[Row, Encoding], Feed]]:
    """The windows of each row."""
    for row in asked.rows():
        for window in _windows(texts, row):
            ids = np.asarray(window.ids, np.int64)
            feed = piece_feed(compiled.inputs, ids, texts.tokenizer.pad)
            if "token_type_ids" in feed:
                feed["token_type_ids"][0, : len(ids)] = window.type_ids
            yield (row, window), feed


def _windows(texts: Texts, row: Row) -> list[Encoding]:
    """A question with each window of its text.

    Raises:
        SourceError: the question leaves no room for the text, or the tokenizer doesn't tell places in it.
    """
    backend, longest = texts.tokenizer.backend, texts.longest or LONGEST
    if not hasattr(backend, "enable_truncation"):
        message = f"{texts.folder}: the folder has no tokenizer.json, and only such a tokenizer tells places in a text"
        raise SourceError(message)
    question, context = str(row.values["question"]), str(row.values["context"])
    with readable(texts.folder, f"{row.where}: its tokenizer fails, such as over a question of {longest} tokens"):
        backend.enable_truncation(longest, stride=min(longest // 2, OVERLAP), strategy="only_second")
        try:
            whole = backend.encode(question, context, add_special_tokens=True)
        finally:
            backend.no_truncation()
    return [whole, *whole.overflowing]


def _answer(window: Encoding, start: NDArray[np.float64], stop: NDArray[np.float64]) -> _Found:
    """The likeliest span of one window; of one without a token of the text, nothing."""
    inside = np.array([text == 1 for text in window.sequence_ids]) & ~np.array(window.special_tokens_mask, np.bool_)
    if not inside.any() or not (np.isfinite(start).all() and np.isfinite(stop).all()):
        return _Found(-1.0, 0, 0)
    both = [_probabilities(logits, inside) for logits in (start, stop)]
    outer = np.tril(np.triu(np.outer(*both)), ANSWER - 1)
    outer[~inside] = outer[:, ~inside] = -1.0
    first, last = np.unravel_index(int(outer.argmax()), outer.shape)
    return _Found(float(outer[first, last]), *_characters(window, int(first), int(last)))


def _probabilities(logits: NDArray[np.float64], inside: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Over the tokens of the text, and the first of the window, which stands for no answer."""
    counts = inside.copy()
    counts[0] = True
    kept = np.where(counts, logits, _FAR)
    powers = np.exp(kept - kept.max())
    found: NDArray[np.float64] = powers / powers.sum()
    return found


def _characters(window: Encoding, first: int, last: int) -> Sequence[int]:
    """Where the words of two tokens begin and end in the text."""
    words = window.token_to_word(first), window.token_to_word(last)
    if words[0] is None or words[1] is None:
        return window.offsets[first][0], window.offsets[last][1]
    return window.word_to_chars(words[0], 1)[0], window.word_to_chars(words[1], 1)[1]
