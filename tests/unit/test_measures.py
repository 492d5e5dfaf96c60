"""Measures of classes, tags, numbers and embeddings, held against a library's own figure or a second computation."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import sklearn.metrics as sk
from numpy.typing import NDArray
from scipy import stats

from runner.errors import SourceError
from runner.metrics.measures import classes, labels, masked, numbers, pairs, tags

EQUAL = {"rtol": 0, "atol": 1e-9}


def scored(rows: int = 300, count: int = 6, seed: int = 0) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Scores [rows, count] that lean to the right class, and labels; class 4 is no label."""
    rng = np.random.default_rng(seed)
    told = rng.choice([0, 1, 2, 3, 5], rows, p=[0.5, 0.2, 0.1, 0.1, 0.1])
    scores = rng.normal(size=(rows, count)).astype(np.float32)
    scores[np.arange(rows), told] += 1
    return scores, told


def test_figures_of_classes_are_those_of_scikit_learn() -> None:
    scores, told = scored()
    scores[:, 4] -= 10  # never given, so that scikit-learn has nothing to warn of
    both, best = classes.decisions(scores, told), scores.argmax(1)
    expected = {
        classes.f1_macro: sk.f1_score(told, best, average="macro"),
        classes.f1_micro: sk.f1_score(told, best, average="micro"),
        classes.f1_weighted: sk.f1_score(told, best, average="weighted"),
        classes.balanced_accuracy: sk.balanced_accuracy_score(told, best),
        classes.matthews: sk.matthews_corrcoef(told, best),
    }
    for function, value in expected.items():
        np.testing.assert_allclose(function(both), value, **EQUAL, err_msg=function.__name__)


def test_a_choice_of_rows_without_some_classes_is_judged_as_by_scikit_learn() -> None:
    scores, told = scored()
    few = classes.decisions(scores, told)[told < 2][:20]
    np.testing.assert_allclose(classes.f1_macro(few), sk.f1_score(*few.T, average="macro"), **EQUAL)
    with pytest.warns(UserWarning, match="y_pred contains classes not in y_true"):
        expected = sk.balanced_accuracy_score(*few.T)
    np.testing.assert_allclose(classes.balanced_accuracy(few), expected, **EQUAL)
    assert classes.matthews(np.ones((5, 2))) == 0.0


@pytest.mark.parametrize("k", [1, 3, 6])
def test_among_the_best(k: int) -> None:
    scores, told = scored()
    expected = sk.top_k_accuracy_score(told, scores, k=k, labels=range(6)) if k < 6 else 1.0
    np.testing.assert_allclose(classes.among_best(scores, told, k).mean(), expected, **EQUAL)


def test_of_equal_scores_the_first_counts() -> None:
    equal = np.zeros((3, 3), np.float32)
    assert classes.among_best(equal, np.arange(3), 1)[:, 0].tolist() == [1, 0, 0]
    assert classes.decisions(equal, np.arange(3))[:, 1].tolist() == [0, 0, 0]


def test_a_row_without_numbers_has_none() -> None:
    scores, told = scored(5)
    scores[2, 3] = np.nan
    both = classes.decisions(scores, told)
    assert np.isnan(both).any(1).tolist() == [False, False, True, False, False]
    assert np.isnan(classes.among_best(scores, told, 2)[:, 0]).tolist() == [False, False, True, False, False]
    for function in (classes.f1_macro, classes.f1_micro, classes.f1_weighted, classes.balanced_accuracy):
        assert np.isnan(function(both))
    assert np.isnan(classes.matthews(both))


def test_classes_one_by_one() -> None:
    scores, told = scored()
    best = scores.argmax(1)
    found = classes.by_class(classes.decisions(scores, told))
    assert found["confusion"] == sk.confusion_matrix(told, best, labels=range(6)).tolist()
    precision, recall, f1, count = sk.precision_recall_fscore_support(told, best, labels=range(6), zero_division=np.nan)
    assert isinstance(found["classes"], list)
    for one in found["classes"]:
        number = one["class"]
        assert one["labels"] == count[number]
        for name, expected in (("precision", precision), ("recall", recall)):
            value = np.nan if one[name] is None else one[name]
            np.testing.assert_allclose(value, expected[number], **EQUAL)
        np.testing.assert_allclose(one["f1"], np.nan_to_num(f1[number]), **EQUAL)


def test_of_many_classes_the_pairs_most_confused_are_told() -> None:
    both = np.array([(number, number) for number in range(80)] + [(3, 7)] * 5 + [(60, 2)] * 2, float)
    assert classes.by_class(both)["confused"] == [
        {"label": 3, "given": 7, "rows": 5},
        {"label": 60, "given": 2, "rows": 2},
    ]


def test_labels_are_numbers_or_names_of_the_models_classes() -> None:
    names = ("negative", "positive")
    assert labels.class_numbers([1, "positive", "0", 0.0, np.int8(1)], names).tolist() == [1, 1, 0, 0, 1]
    assert labels.tag_numbers(["positive", None, -100, 0], 1, names).tolist() == [1, -100, -100, 0]


@pytest.mark.parametrize(
    ("told", "message"),
    [
        ([0, 2], r"row 2: the label 2 is none of the model's 2 classes, 0 to 1"),
        ([-1], r"row 1: the label -1 is none"),
        ([0.5], r"row 1: the label 0\.5 is none"),
        (["7"], r"row 1: the label 7 is none"),
        (["positiv"], r"no class of the model \"positiv\"; there are: negative, positive \(did you mean positive\?\)"),
        ([[1]], r"row 1: the label \[1\] is neither a number nor a name"),
    ],
)
def test_other_labels_are_refused(told: list[object], message: str) -> None:
    with pytest.raises(SourceError, match=message):
        labels.class_numbers(told, ("negative", "positive"))


def test_a_name_needs_names_of_classes() -> None:
    with pytest.raises(SourceError, match=r"names no classes"):
        labels.class_numbers(["positive"], (), 2)


PUBLISHED = [
    (["O", "O", "O", "B-MISC", "I-MISC", "I-MISC", "O"], ["O", "O", "B-MISC", "I-MISC", "I-MISC", "I-MISC", "O"]),
    (["B-PER", "I-PER", "O"], ["B-PER", "I-PER", "O"]),
]
"""Told and given tags of seqeval's own example, whose F1 is 0.50."""


def test_entities_of_the_published_example() -> None:
    names = sorted({tag for pair in PUBLISHED for line in pair for tag in line})
    told, given = ([[names.index(tag) for tag in pair[side]] for pair in PUBLISHED] for side in (0, 1))
    counts = tags.counted(given, told, names)
    assert counts.tolist() == [[0, 1, 1], [1, 1, 1]]
    assert tags.f1(counts.sum(0)) == 0.5
    assert tags.f1(np.zeros(3)) == 0.0
    assert tags.told(counts) == {"precision": 0.5, "recall": 0.5, "entities": {"right": 1, "given": 2, "told": 2}}
    assert tags.right_words(given, told).tolist() == [[5, 7], [3, 3]]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("B-PER I-PER O B-LOC", {("PER", 0, 1), ("LOC", 3, 3)}),  # of seqeval's documentation
        ("I-PER I-PER I-LOC O", {("PER", 0, 1), ("LOC", 2, 2)}),  # IOB1
        ("I-PER I-PER B-PER", {("PER", 0, 1), ("PER", 2, 2)}),
        ("S-PER B-LOC I-LOC E-LOC O S-LOC", {("PER", 0, 0), ("LOC", 1, 3), ("LOC", 5, 5)}),
        ("I-PER E-PER I-PER", {("PER", 0, 1), ("PER", 2, 2)}),
        ("B-NON-FOOD I-NON-FOOD", {("NON-FOOD", 0, 1)}),
        ("O O", set()),
        ("B I O B", {("_", 0, 1), ("_", 3, 3)}),
    ],
)
def test_tags_name_entities(line: str, expected: set[tuple[str, int, int]]) -> None:
    assert tags.entities(line.split()) == expected


def test_words_that_do_not_count_are_left_out() -> None:
    names = ["O", "B-X", "I-X"]
    assert tags.counted([[1, 0, 2]], [[1, -100, 2]], names).tolist() == [[1, 1, 1]]
    assert tags.right_words([[1, 0, 0]], [[1, -100, 2]]).tolist() == [[1, 2]]


def test_a_word_without_a_class_is_outside_of_all_entities() -> None:
    assert tags.counted([[1, -1, 2]], [[1, 2, 2]], ["O", "B-X", "I-X"]).tolist() == [[0, 2, 1]]


def test_masks_and_answers_are_equally_many() -> None:
    assert masked.found([["a", " b"]], [["a", "c"]]).tolist() == [[1, 2]]
    with pytest.raises(SourceError, match="row 1: the text has 2 masks, and there are 1 answers"):
        masked.found([["a", "b"]], [["a"]])


def test_other_words_and_other_classes_are_refused() -> None:
    with pytest.raises(SourceError, match="row 2: the model gave 1 tags, and the data have 2"):
        tags.right_words([[1], [1]], [[1], [1, 1]])
    with pytest.raises(SourceError, match="no tags of entities, such as B-PER and I-PER: NOUN, VERB"):
        tags.counted([[0]], [[0]], ["NOUN", "VERB"])


def test_errors_of_numbers_are_those_of_scikit_learn() -> None:
    rng = np.random.default_rng(1)
    told = rng.normal(size=(50, 3))
    given = told + rng.normal(size=(50, 3)) * [0.1, 1, 2]
    np.testing.assert_allclose(numbers.absolute(given, told).mean(), sk.mean_absolute_error(told, given), **EQUAL)
    root = np.sqrt(numbers.squared(given[:, 0], told[:, 0]).mean())
    np.testing.assert_allclose(root, sk.root_mean_squared_error(told[:, 0], given[:, 0]), **EQUAL)
    np.testing.assert_allclose(numbers.r2(numbers.side_by_side(given, told)), sk.r2_score(told, given), **EQUAL)
    still = np.stack([np.ones(50), np.ones(50)], 1)
    shifted = still + np.arange(2)
    np.testing.assert_allclose(numbers.r2(numbers.side_by_side(shifted, still)), sk.r2_score(still, shifted), **EQUAL)
    with pytest.raises(SourceError, match="the model gives 3 numbers a row, and the data have 1"):
        numbers.absolute(given, told[:, 0])


@pytest.mark.parametrize("levels", [0, 7])
def test_scores_rank_two_kinds_of_rows_as_by_scikit_learn(levels: int) -> None:
    """With few levels many scores are equal."""
    rng = np.random.default_rng(2)
    told = rng.random(400) < 0.2
    scores = rng.normal(size=400) + told
    scores = np.round(scores * levels) / levels if levels else scores
    both = numbers.binary(told.astype(int), scores)
    np.testing.assert_allclose(numbers.roc_auc(both), sk.roc_auc_score(told, scores), **EQUAL)
    np.testing.assert_allclose(numbers.average_precision(both), sk.average_precision_score(told, scores), **EQUAL)
    every = [sk.f1_score(told, scores >= threshold) for threshold in np.unique(scores)]
    np.testing.assert_allclose(numbers.best_f1(both), max(every), **EQUAL)
    found = numbers.threshold(both)["threshold"]
    np.testing.assert_allclose(sk.f1_score(told, scores >= found), max(every), **EQUAL)


def test_one_kind_of_rows_has_no_rank() -> None:
    for label in (0, 1):
        assert np.isnan(numbers.roc_auc(numbers.binary(np.full(3, label), np.arange(3.0))))
    assert np.isnan(numbers.best_f1(numbers.binary(np.zeros(3), np.arange(3.0))))
    assert np.isnan(numbers.average_precision(numbers.binary(np.ones(2), np.array([np.nan, 1]))))
    assert numbers.threshold(numbers.binary(np.zeros(3), np.arange(3.0))) == {}
    with pytest.raises(SourceError, match="row 2: the label is 2, and there are two"):
        numbers.binary(np.array([0, 2]), np.arange(2.0))


def test_correlations_are_those_of_scipy() -> None:
    rng = np.random.default_rng(3)
    one, other = rng.normal(size=(2, 60, 8))
    scores = np.round(rng.random(60) * 5)
    both = pairs.likeness(one, other, scores)
    cosine = 1 - np.array(
        [sk.pairwise.cosine_distances(a[None], b[None])[0, 0] for a, b in zip(one, other, strict=True)]
    )
    np.testing.assert_allclose(both[:, 0], cosine, **EQUAL)
    np.testing.assert_allclose(pairs.pearson(both), stats.pearsonr(cosine, scores).statistic, **EQUAL)
    np.testing.assert_allclose(pairs.spearman(both), stats.spearmanr(cosine, scores).statistic, **EQUAL)
    assert np.isnan(pairs.pearson(pairs.likeness(one, one, np.ones(60))))
    assert np.isnan(pairs.cosines(np.zeros((1, 2)), np.ones((1, 2))))


@pytest.mark.parametrize("k", [1, 5, 40])
def test_the_own_document_among_all(k: int) -> None:
    rng = np.random.default_rng(4)
    documents = rng.normal(size=(40, 6))
    queries = documents + rng.normal(size=(40, 6))
    place = pairs.places(queries, documents, [f"document {row}" for row in range(40)])
    likeness = sk.pairwise.cosine_similarity(queries, documents)
    np.testing.assert_allclose(pairs.gain(place, k).mean(), sk.ndcg_score(np.eye(40), likeness, k=k), **EQUAL)
    first = np.argsort(-likeness, 1)[:, :k]
    expected = np.mean([row in found for row, found in enumerate(first)])
    np.testing.assert_allclose(pairs.recall(place, k).mean(), expected, **EQUAL)


def test_a_document_of_two_queries_counts_once() -> None:
    documents = np.array([[1.0, 0], [1, 0], [0, 1]])
    assert pairs.places(np.array([[1.0, 0.1], [0.1, 1], [0.1, 1]]), documents, ["a", "a", "b"]).tolist() == [1, 2, 1]
    assert pairs.places(np.ones((2, 2)), np.ones((2, 2)), ["a", "b"]).tolist() == [2, 2]


def test_measures_import_numpy_alone() -> None:
    folder = Path(classes.__file__).parent
    for path in folder.glob("*.py"):
        lines = path.read_text(encoding="utf-8").splitlines()
        heavy = ("sklearn", "scipy", "jiwer", "sacrebleu", "rouge_score", "pycocotools", "openvino", "torch")
        assert not [
            line for line in lines if line.startswith(("import ", "from ")) and line.split()[1].startswith(heavy)
        ]
