"""Texts that a model writes: summaries, translations, replies, and what was spoken."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from runner.metrics.late import figure
from runner.registry.metrics import FROM_0, OfSums, metric

if TYPE_CHECKING:
    from runner.metrics.kept import Kept
    from runner.metrics.measures.taken import Targets

Stemmer = Annotated[bool, "Whether words count as equal that have one stem, by Porter's rules for English."]
Lowercase = Annotated[bool, "Whether small and capital letters count as equal."]
Normalise = Annotated[
    Literal["none", "lower", "basic"],
    "What is done to both texts first: nothing, small letters, or what Whisper's evaluation does in any language "
    "(small letters, no punctuation, nothing in brackets).",
]
_SPOKEN = ("automatic-speech-recognition-with-past", "automatic-speech-recognition")
_ROUGE = "rouge-score; the best of several texts"
_HUNDRED = (0.0, 100.0)


@metric(
    "rouge1",
    better="higher",
    rows="texts",
    needs=("reply",),
    help="mean F1 of the words that text and expected text have in common",
    source=_ROUGE,
    libraries=("rouge-score", "nltk"),
    extra="metrics",
)
def rouge1(kept: Kept, targets: Targets, *, stemmer: Stemmer = False) -> object:
    from runner.metrics.measures import taken, texts

    return texts.rouge("rouge1", taken.texts(kept), targets["reply"], stemmer)


@metric(
    "rouge2",
    better="higher",
    rows="texts",
    needs=("reply",),
    help="mean F1 of the pairs of words that text and expected text have in common",
    source=_ROUGE,
    libraries=("rouge-score", "nltk"),
    extra="metrics",
)
def rouge2(kept: Kept, targets: Targets, *, stemmer: Stemmer = False) -> object:
    from runner.metrics.measures import taken, texts

    return texts.rouge("rouge2", taken.texts(kept), targets["reply"], stemmer)


@metric(
    "rougeL",
    better="higher",
    rows="texts",
    needs=("reply",),
    help="mean F1 of the longest sequence of words that text and expected text have in common",
    source=_ROUGE,
    libraries=("rouge-score", "nltk"),
    extra="metrics",
)
def rouge_l(
    kept: Kept,
    targets: Targets,
    *,
    stemmer: Stemmer = False,
    lines: Annotated[bool, "Whether each line is a sentence by itself, as in rougeLsum."] = False,
) -> object:
    from runner.metrics.measures import taken, texts

    return texts.rouge("rougeLsum" if lines else "rougeL", taken.texts(kept), targets["reply"], stemmer)


@metric(
    "bleu",
    better="higher",
    rows="texts",
    needs=("reply",),
    aggregate=OfSums(figure("texts.bleu")),
    score=figure("texts.bleu"),
    span=_HUNDRED,
    help="BLEU of all texts together, 0 to 100",
    source="sacrebleu, BLEU with its smoothing `exp`",
    libraries=("sacrebleu",),
    extra="metrics",
)
def bleu(
    kept: Kept,
    targets: Targets,
    *,
    tokenize: Annotated[
        Literal["13a", "intl", "zh", "char", "none"],
        "How sacrebleu divides texts: 13a for most languages, zh for Chinese, char for those without spaces.",
    ] = "13a",
    lowercase: Lowercase = False,
) -> object:
    from runner.metrics.measures import taken, texts

    return texts.bleu_counts(taken.texts(kept), targets["reply"], tokenize, lowercase)


@metric(
    "chrf",
    better="higher",
    rows="texts",
    needs=("reply",),
    aggregate=OfSums(figure("texts.chrf")),
    score=figure("texts.chrf"),
    span=_HUNDRED,
    help="chrF of all texts together, 0 to 100: n-grams of characters, which suits languages with many endings",
    source="sacrebleu, CHRF",
    libraries=("sacrebleu",),
    extra="metrics",
)
def chrf(
    kept: Kept,
    targets: Targets,
    *,
    word_order: Annotated[Literal[0, 2], "Longest n-grams of words that count too; 2 is chrF++."] = 0,
) -> object:
    from runner.metrics.measures import taken, texts

    return texts.chrf_counts(taken.texts(kept), targets["reply"], word_order)


@metric(
    "word_error_rate",
    better="lower",
    rows="texts",
    needs=("reply",),
    aggregate="ratio",
    span=FROM_0,
    help="words that are wrong, missing or too many, per word that was spoken",
    source="jiwer, process_words",
    libraries=("jiwer", "rapidfuzz"),
    extra="metrics",
    tasks=_SPOKEN,
)
def word_error_rate(kept: Kept, targets: Targets, *, normalise: Normalise = "none") -> object:
    from runner.metrics.measures import taken, texts

    return texts.word_errors(taken.texts(kept), targets["reply"], normalise)


@metric(
    "character_error_rate",
    better="lower",
    rows="texts",
    needs=("reply",),
    aggregate="ratio",
    span=FROM_0,
    help="characters that are wrong, missing or too many, per character that was spoken",
    source="jiwer, process_characters",
    libraries=("jiwer", "rapidfuzz"),
    extra="metrics",
    tasks=_SPOKEN,
)
def character_error_rate(kept: Kept, targets: Targets, *, normalise: Normalise = "none") -> object:
    from runner.metrics.measures import taken, texts

    return texts.character_errors(taken.texts(kept), targets["reply"], normalise)
