"""Texts that a model wrote, held against those of the data."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np

from runner.metrics.measures.answers import texts

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

Normalisation = Literal["none", "lower", "basic"]
Rouge = Literal["rouge1", "rouge2", "rougeL", "rougeLsum"]
_CHARACTERS = 6
"""The longest n-grams of characters that chrF counts."""
_IN_BRACKETS = (re.compile(r"[<\[][^>\]]*[>\]]"), re.compile(r"\([^)]+?\)"))


def exact(given: Sequence[str], told: Sequence[object]) -> Floats:
    """1 where a text is one of those of the data, white space around both left out; shape [rows, 1]."""
    rows = [
        one.strip() in [text.strip() for text in texts(any_of, row)]
        for row, (one, any_of) in enumerate(zip(given, told, strict=True), 1)
    ]
    return np.array(rows, np.float64).reshape(-1, 1)


def rouge(kind: Rouge, given: Sequence[str], told: Sequence[object], stemmer: bool) -> Floats:
    """F1 of rouge-score for each row, with the best of its texts; shape [rows, 1]."""
    from rouge_score.rouge_scorer import RougeScorer

    scorer = RougeScorer([kind], use_stemmer=stemmer)
    rows = [
        scorer.score_multi(texts(any_of, row), one)[kind].fmeasure
        for row, (one, any_of) in enumerate(zip(given, told, strict=True), 1)
    ]
    return np.array(rows, np.float64).reshape(-1, 1)


def bleu_counts(given: Sequence[str], told: Sequence[object], tokenize: str, lowercase: bool) -> Floats:
    """What sacrebleu counts of each row, [rows, 10]: lengths (given, told), n-grams that match (4), n-grams (4)."""
    from sacrebleu.metrics import BLEU

    bleu = BLEU(tokenize=tokenize, lowercase=lowercase, effective_order=True)
    rows = []
    for row, (one, any_of) in enumerate(zip(given, told, strict=True), 1):
        score = bleu.sentence_score(one, texts(any_of, row))
        rows.append([score.sys_len, score.ref_len, *score.counts, *score.totals])
    return np.array(rows, np.float64).reshape(-1, 10)


def bleu(sums: Floats) -> Floats:
    """BLEU of the corpus, 0 to 100, of sums [..., 10]; smoothed as sacrebleu does by default (`exp`)."""
    given, told = sums[..., 0], sums[..., 1]
    matches, totals = sums[..., 2:6], sums[..., 6:]
    smooth = 2.0 ** np.cumsum(matches == 0, -1)
    precision = np.where(matches > 0, matches, 1 / smooth) / np.maximum(totals, 1)
    brevity = np.minimum(0.0, 1 - told / np.maximum(given, 1))
    score = 100 * np.exp(brevity + np.log(precision).mean(-1))
    return np.where((totals > 0).all(-1) & (matches > 0).any(-1), score, 0.0)


def chrf_counts(given: Sequence[str], told: Sequence[object], words: int) -> Floats:
    """What sacrebleu counts of each row for chrF: n-grams given, told and in both, for each length; the best text's.

    Args:
        words: the longest n-grams of words that count too: 0 for chrF, 2 for chrF++.

    Returns:
        Shape [rows, 3 * (6 + words)].
    """
    from sacrebleu.metrics import CHRF

    count: Callable[..., list[list[int]]] = CHRF(char_order=_CHARACTERS, word_order=words)._extract_corpus_statistics
    rows = []
    for row, (one, any_of) in enumerate(zip(given, told, strict=True), 1):
        rows += count([one], [[text] for text in texts(any_of, row)])
    return np.array(rows, np.float64).reshape(-1, 3 * (_CHARACTERS + words))


def chrf(sums: Floats) -> Floats:
    """chrF of the corpus, 0 to 100, of sums: mean precision and recall of the lengths that occur, with beta = 2."""
    given, told, both = np.moveaxis(sums.reshape(*sums.shape[:-1], -1, 3), -1, 0)
    there = (given > 0) & (told > 0)
    lengths = np.maximum(there.sum(-1), 1)
    precision, recall = (
        np.divide(both, count, out=np.zeros_like(both), where=there).sum(-1) / lengths for count in (given, told)
    )
    return np.asarray(500 * precision * recall / np.maximum(4 * precision + recall, np.finfo(float).tiny), np.float64)


def word_errors(given: Sequence[str], told: Sequence[object], normalise: Normalisation) -> Floats:
    """(words substituted, left out and put in; words told) of each row, counted by jiwer; shape [rows, 2]."""
    from jiwer import process_words

    return _errors(process_words, given, told, normalise)


def character_errors(given: Sequence[str], told: Sequence[object], normalise: Normalisation) -> Floats:
    """As `word_errors`, of characters."""
    from jiwer import process_characters

    return _errors(process_characters, given, told, normalise)


def _errors(
    align: Callable[[str, str], object], given: Sequence[str], told: Sequence[object], normalise: Normalisation
) -> Floats:
    rows = []
    for row, (one, any_of) in enumerate(zip(given, told, strict=True), 1):
        counts = [_counts(align(spoken(text, normalise), spoken(one, normalise))) for text in texts(any_of, row)]
        rows.append(min(counts, key=lambda pair: pair[0] / max(1, pair[1])))
    return np.array(rows, np.float64).reshape(-1, 2)


def _counts(aligned: object) -> tuple[int, int]:
    hits, other, gone, new = (
        int(getattr(aligned, name)) for name in ("hits", "substitutions", "deletions", "insertions")
    )
    return other + gone + new, hits + other + gone


def spoken(text: str, normalise: Normalisation) -> str:
    """A text as it is compared.

    `basic` is what Whisper's evaluation does in any language: small letters, nothing in brackets, a space for each
    mark, symbol and punctuation, one space between words.
    """
    if normalise == "none":
        return text
    lower = text.lower()
    if normalise == "lower":
        return lower
    for brackets in _IN_BRACKETS:
        lower = brackets.sub("", lower)
    kept = (" " if unicodedata.category(one)[0] in "MSP" else one for one in unicodedata.normalize("NFKC", lower))
    return " ".join("".join(kept).lower().split())
