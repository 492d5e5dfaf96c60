"""Measures of texts, each held against the whole figure of the library that has it, or a published example."""

from __future__ import annotations

import numpy as np
import pytest

from runner.errors import SourceError
from runner.metrics.measures import answers, texts

jiwer = pytest.importorskip("jiwer")
sacrebleu = pytest.importorskip("sacrebleu.metrics")
EQUAL = {"rtol": 0, "atol": 1e-9}

TOLD = [
    "The dog bit the man.",
    "It was not unexpected.",
    "The man bit him first, and then he ran away (they say).",
    "Short",
    "Nothing like it at all",
]
GIVEN = [
    "The dog bit the man.",
    "It wasn't surprising.",
    "The man had just bitten him first, and he ran away!",
    "",
    "completely other words",
]
SECOND = ["The dog had bit the man.", "No one was surprised.", "The man had bitten the dog.", "Brief", "Words"]


@pytest.mark.parametrize("lowercase", [False, True])
@pytest.mark.parametrize("tokenize", ["13a", "char", "none", "intl"])
def test_bleu_is_that_of_the_corpus(tokenize: str, lowercase: bool) -> None:
    library = sacrebleu.BLEU(tokenize=tokenize, lowercase=lowercase)
    counts = texts.bleu_counts(GIVEN, TOLD, tokenize, lowercase)
    np.testing.assert_allclose(texts.bleu(counts.sum(0)), library.corpus_score(GIVEN, [TOLD]).score, **EQUAL)
    both = texts.bleu_counts(GIVEN, list(zip(TOLD, SECOND, strict=True)), tokenize, lowercase)
    np.testing.assert_allclose(texts.bleu(both.sum(0)), library.corpus_score(GIVEN, [TOLD, SECOND]).score, **EQUAL)


def test_bleu_of_the_published_example() -> None:
    """That of sacrebleu's README."""
    given = ["The dog bit the man.", "It wasn't surprising.", "The man had just bitten him."]
    told = [
        ["The dog bit the man.", "The dog had bit the man."],
        ["It was not unexpected.", "No one was surprised."],
        ["The man bit him first.", "The man had bitten the dog."],
    ]
    assert round(float(texts.bleu(texts.bleu_counts(given, told, "13a", False).sum(0))), 2) == 48.53
    assert round(float(texts.chrf(texts.chrf_counts(given, told, 0).sum(0))), 2) == 59.73


@pytest.mark.parametrize(
    ("given", "told"),
    [(["a b c"], ["d e f"]), ([""], ["a b"]), (["a b c d e"], ["a x c y e"]), (["a"], ["a"]), (["a b c d"], [""])],
)
def test_texts_with_few_n_grams_in_common(given: list[str], told: list[str]) -> None:
    bleu, chrf = texts.bleu_counts(given, told, "13a", False), texts.chrf_counts(given, told, 0)
    expected = sacrebleu.BLEU().corpus_score(given, [told]).score
    np.testing.assert_allclose(texts.bleu(bleu.sum(0)), expected, **EQUAL)
    np.testing.assert_allclose(texts.chrf(chrf.sum(0)), sacrebleu.CHRF().corpus_score(given, [told]).score, **EQUAL)


@pytest.mark.parametrize("words", [0, 2])
def test_chrf_is_that_of_the_corpus(words: int) -> None:
    library = sacrebleu.CHRF(word_order=words)
    counts = texts.chrf_counts(GIVEN, TOLD, words)
    np.testing.assert_allclose(texts.chrf(counts.sum(0)), library.corpus_score(GIVEN, [TOLD]).score, **EQUAL)
    both = texts.chrf_counts(GIVEN, list(zip(TOLD, SECOND, strict=True)), words)
    np.testing.assert_allclose(texts.chrf(both.sum(0)), library.corpus_score(GIVEN, [TOLD, SECOND]).score, **EQUAL)


def test_figures_of_many_sums_at_once_are_those_of_each() -> None:
    for function, counts in (
        (texts.bleu, texts.bleu_counts(GIVEN, TOLD, "13a", False)),
        (texts.chrf, texts.chrf_counts(GIVEN, TOLD, 0)),
    ):
        sums = np.stack([counts[:3].sum(0), counts[2:].sum(0), np.zeros(counts.shape[1])])
        np.testing.assert_array_equal(function(sums), [function(one) for one in sums])


@pytest.mark.parametrize("kind", ["rouge1", "rouge2", "rougeL", "rougeLsum"])
def test_rouge_is_that_of_the_library(kind: texts.Rouge) -> None:
    """The second text's figures are those of the library's README, by hand for the first."""
    given = ["The quick brown dog jumps on the log.", "The quick brown dog jumps on the log."]
    told = ["The quick brown fox jumps over the lazy dog", ["nothing", "The quick brown fox jumps over the lazy dog"]]
    hits, size = {"rouge1": (6, 17), "rouge2": (2, 15), "rougeL": (5, 17), "rougeLsum": (5, 17)}[kind]
    found = texts.rouge(kind, given, told, stemmer=True)
    np.testing.assert_allclose(found, [[2 * hits / size]] * 2, **EQUAL)


def test_a_stem_is_a_word_of_its_own_unless_asked() -> None:
    assert texts.rouge("rouge1", ["jumps"], ["jumping"], stemmer=False).tolist() == [[0]]
    assert texts.rouge("rouge1", ["jumps"], ["jumping"], stemmer=True).tolist() == [[1]]


@pytest.mark.parametrize("normalise", ["none", "lower", "basic"])
def test_word_and_character_errors_are_those_of_the_corpus(normalise: texts.Normalisation) -> None:
    told, given = ([texts.spoken(text, normalise) for text in side] for side in (TOLD, GIVEN))
    errors, words = texts.word_errors(GIVEN, TOLD, normalise).sum(0)
    np.testing.assert_allclose(errors / words, jiwer.wer(told, given), **EQUAL)
    errors, characters = texts.character_errors(GIVEN, TOLD, normalise).sum(0)
    np.testing.assert_allclose(errors / characters, jiwer.cer(told, given), **EQUAL)


def test_errors_are_counted_against_the_nearest_text() -> None:
    assert texts.word_errors(["a b", "x"], [["c d e", "a c"], ""], "none").tolist() == [[1, 2], [1, 0]]


def test_spoken_text_is_normalised_as_by_whispers_evaluation() -> None:
    from transformers.models.whisper.english_normalizer import BasicTextNormalizer

    basic = BasicTextNormalizer()
    for text in (*TOLD, "Ein [Husten] Straßen-Café, (leise) <unk> ﬁ ² … 3,5 €!", "x(y[z)w]v", "Été  d'hiver"):
        assert texts.spoken(text, "basic") == basic(text).strip()
    assert texts.spoken("A, b", "lower") == "a, b"


@pytest.mark.parametrize(
    ("given", "told", "exact", "f1"),
    [
        ("The Broncos!", "Broncos", 1, 1),
        ("Denver Broncos", "the Denver, Colorado Broncos", 0, 0.8),
        ("", "", 1, 1),
        ("", "x", 0, 0),
        ("the", "", 1, 1),  # an article alone is no word
        ("a b b", "b b c", 0, 0.8),
        ("Santa Clara", ["Levi's Stadium", "Santa Clara, California"], 0, 0.8),
        ("x", {"text": ["y", "X."], "answer_start": [1, 2]}, 1, 1),
        ("", {"text": [], "answer_start": []}, 1, 1),
        ("something", [], 0, 0),
    ],
)
def test_answers_are_held_as_by_squads_script(given: str, told: object, exact: float, f1: float) -> None:
    np.testing.assert_allclose(answers.best(answers.exact, [given], [told]), [[exact]])
    np.testing.assert_allclose(answers.best(answers.overlap, [given], [told]), [[f1]])


@pytest.mark.parametrize("told", [3, {"x": 1}, [1]])
def test_what_is_no_answer_is_refused(told: object) -> None:
    with pytest.raises(SourceError, match="row 2: what is expected is a text, a list of texts"):
        answers.best(answers.exact, ["a", "b"], ["a", told])


def test_the_same_text() -> None:
    assert texts.exact([" a\n", "A", "b"], ["a", "a", ["c", "b "]]).tolist() == [[1], [0], [1]]
