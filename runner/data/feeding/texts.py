"""Texts as a model's own tokenizer encodes them: each row by itself, cut to what the model takes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

import runner.base.files as fs
from runner.data.pieces import fixed_length, piece_feed
from runner.data.tokens import Tokenizer, readable
from runner.model.feed import Feed, Port, check_takes_text

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from runner.data.table import Row

_UNLIMITED = 1_000_000
"""A tokenizer that knows no limit says 1e30."""
_OFFSET = frozenset(
    {
        *("camembert", "data2vec-text", "esm", "ibert", "layoutlmv3", "lilt", "longformer", "luke", "markuplm"),
        *("mpnet", "roberta", "roberta-prelayernorm", "xlm-roberta", "xlm-roberta-xl", "xmod"),
    }
)
"""Models that count positions from behind that of the padding token."""


@dataclass(frozen=True)
class Encoded:
    """A text, or two, in tokens.

    Attributes:
        ids: shape [tokens].
        types: 0 for the first text and what stands around it, 1 for the second.
        special: whether the tokenizer put the token there by itself.
        words: which word of its text each token is of; None for special ones.
        texts: which text each token is of, 0 or 1; None for special ones.
        spans: where each token's characters begin and end in its text.
        cut: whether tokens were left out for want of room.
    """

    ids: NDArray[np.int64]
    types: NDArray[np.int64]
    special: NDArray[np.bool_]
    words: Sequence[int | None]
    texts: Sequence[int | None]
    spans: Sequence[tuple[int, int]]
    cut: bool


class Texts:
    """Feeds a model with texts.

    Args:
        folder: of the model.
        inputs: of the model.
        longest: the most tokens of a row; by default what the model takes.

    Raises:
        SourceError: the folder has no tokenizer that can be loaded, or no tokens feed the model.
    """

    def __init__(self, folder: Path, inputs: Iterable[Port], longest: int | None = None) -> None:
        self.folder, self.inputs = folder, tuple(inputs)
        check_takes_text(self.inputs, "of texts")
        self.tokenizer = Tokenizer(folder)
        self.longest = least([longest, fixed_length(self.inputs), most_tokens(folder)])
        self.rows = self.cut = 0

    def feed(self, row: Row) -> Feed:
        """As `runner.data.feeding.Feeder` says."""
        values = row.values
        if "tokens" in values:
            return self.of(self.encode(list(values["tokens"])))  # type: ignore[call-overload]
        if "question" in values:
            return self.of(self.encode(str(values["question"]), str(values["context"])))
        pair = values.get("text_pair")
        return self.of(self.encode(str(values["text"]), None if pair is None else str(pair)))

    def told(self) -> dict[str, object]:
        """As `runner.data.feeding.Feeder` says."""
        return {
            "rows": self.rows,
            "rows_cut": self.cut,
            "longest": self.longest,
            "tokenizer_sha256": self.tokenizer.sha256,
        }

    def encode(self, text: str | list[str], pair: str | None = None) -> Encoded:
        """A text, or the words of one, and perhaps another, with what the tokenizer puts around them.

        Raises:
            SourceError: the folder has no tokenizer that can be loaded, or it fails.
        """
        found = encoded(self.tokenizer, text, pair, self.longest)
        self.rows += 1
        self.cut += found.cut
        return found

    def of(self, row: Encoded) -> Feed:
        """A row's inputs, with padding where the model takes no fewer tokens."""
        feed = piece_feed(self.inputs, row.ids, self.tokenizer.pad)
        types = feed.get("token_type_ids")
        if types is not None:
            types[0, : len(row.types)] = row.types
        return feed


def encoded(tokenizer: Tokenizer, text: str | list[str], pair: str | None, longest: int | None) -> Encoded:
    """As `Texts.encode`: of more tokens than `longest`, those at the end of the longer text are left out."""
    backend = tokenizer.backend
    words = isinstance(text, list)
    with readable(tokenizer.folder, "its tokenizer fails"):
        if not hasattr(backend, "enable_truncation"):
            return _by_transformers(tokenizer, text, pair, longest)
        if longest is not None:
            backend.enable_truncation(longest)
        try:
            found = backend.encode(text, pair, is_pretokenized=words, add_special_tokens=True)
        finally:
            backend.no_truncation()
    return _encoded(
        found.ids, found.type_ids, found.special_tokens_mask, found, found.offsets, cut=bool(found.overflowing)
    )


def _by_transformers(tokenizer: Tokenizer, text: str | list[str], pair: str | None, longest: int | None) -> Encoded:
    """By a tokenizer that the library `tokenizers` has no file for."""
    backend = tokenizer.backend
    found = backend(
        text,
        pair,
        truncation=longest is not None,
        max_length=longest,
        is_split_into_words=isinstance(text, list),
        return_special_tokens_mask=True,
        return_token_type_ids=True,
    )
    ids = found["input_ids"]
    if not backend.is_fast:
        plain = _Plain([None] * len(ids), [None] * len(ids))
        return _encoded(
            ids, found["token_type_ids"], found["special_tokens_mask"], plain, [(0, 0)] * len(ids), cut=False
        )
    whole = found.encodings[0]
    return _encoded(
        ids, found["token_type_ids"], found["special_tokens_mask"], whole, whole.offsets, cut=bool(whole.overflowing)
    )


class _Origin(Protocol):
    """Which word and which text the tokens of an encoding come from."""

    @property
    def word_ids(self) -> Sequence[int | None]: ...

    @property
    def sequence_ids(self) -> Sequence[int | None]: ...


@dataclass(frozen=True)
class _Plain:
    """An encoding of a tokenizer that doesn't tell where its tokens come from."""

    word_ids: Sequence[int | None]
    sequence_ids: Sequence[int | None]


def _encoded(
    ids: Sequence[int],
    types: Sequence[int],
    special: Sequence[int],
    origin: _Origin,
    spans: Sequence[tuple[int, int]],
    *,
    cut: bool,
) -> Encoded:
    return Encoded(
        np.asarray(ids, np.int64),
        np.asarray(types, np.int64),
        np.asarray(special, np.bool_),
        origin.word_ids,
        origin.sequence_ids,
        spans,
        cut,
    )


def most_tokens(folder: Path) -> int | None:
    """The most tokens that a model takes by its own files: of its positions, and of what its tokenizer was told."""
    config, own = (fs.read_object(folder / name) for name in ("config.json", "tokenizer_config.json"))
    positions = Tokenizer(folder).positions
    if positions and config.get("model_type") in _OFFSET:
        positions -= 1 + _padding(config)
    sentences = fs.read_object(folder / "sentence_bert_config.json").get("max_seq_length")
    part = config.get("text_config")
    of_part = part.get("max_position_embeddings") if isinstance(part, Mapping) else None
    return least([positions, own.get("model_max_length"), sentences, of_part])


def _padding(config: Mapping[str, object]) -> int:
    pad = config.get("pad_token_id")
    return pad if isinstance(pad, int) else 1


def least(sizes: Iterable[object]) -> int | None:
    """The smallest of those that are told."""
    told = [int(size) for size in sizes if isinstance(size, int | float) and 0 < size < _UNLIMITED]
    return min(told, default=None)
