"""Each declared metric, measured of kept rows as a check does, against an independent figure of the whole."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import sklearn.metrics as sk
from PIL import Image
from scipy import special, stats

from runner.data.images import Picture
from runner.metrics.figures import measure
from runner.metrics.kept import FORMS, Kept, Ragged
from runner.registry.metrics import FAMILIES
from tests.detections import detected, judged

jiwer = pytest.importorskip("jiwer")
sacrebleu = pytest.importorskip("sacrebleu")
pytest.importorskip("pycocotools")
rouge_scorer = pytest.importorskip("rouge_score.rouge_scorer")
ROWS = 30


class Case(NamedTuple):
    """What a metric is given, and what it has to be."""

    kept: Kept
    targets: Mapping[str, Any]
    expected: float
    settings: Mapping[str, Any] = {}
    reference: Kept | None = None


def kept(gives: str, values: Any, classes: tuple[str, ...] = ()) -> Kept:
    return Kept(gives, len(values), classes, {}, values)


def classified() -> tuple[Kept, Any, Any]:
    rng = np.random.default_rng(0)
    told = rng.integers(0, 3, ROWS)
    scores = (rng.normal(size=(ROWS, 3)) + np.eye(3)[told]).astype(np.float32)
    return kept("class scores", scores, ("a", "b", "c")), told, scores.argmax(1)


def of_classes(name: str) -> Case:
    given, told, best = classified()
    other = np.asarray(given.values) + np.random.default_rng(9).normal(0, 0.5, (ROWS, 3))
    expected: dict[str, Callable[[], Any]] = {
        "accuracy": lambda: sk.accuracy_score(told, best),
        "top_k_accuracy": lambda: sk.top_k_accuracy_score(told, given.values, k=2),
        "f1_macro": lambda: sk.f1_score(told, best, average="macro"),
        "f1_micro": lambda: sk.f1_score(told, best, average="micro"),
        "f1_weighted": lambda: sk.f1_score(told, best, average="weighted"),
        "balanced_accuracy": lambda: sk.balanced_accuracy_score(told, best),
        "matthews_correlation": lambda: sk.matthews_corrcoef(told, best),
        "decision_agreement": lambda: (best == other.argmax(1)).mean(),
    }
    names = {"label": ["abc"[number] for number in told]}
    settings = {"k": 2} if name == "top_k_accuracy" else {}
    against = kept("class scores", other) if name == "decision_agreement" else None
    return Case(given, {} if against else names, expected[name](), settings, against)


def of_words(name: str) -> Case:
    """The example of seqeval's documentation, with one word that doesn't count."""
    classes = ("O", "B-MISC", "I-MISC", "B-PER", "I-PER")
    given = Ragged.of([np.array([0, 0, 1, 2, 2, 2, 0, 0]), np.array([3, 4, 0])])
    told = [["O", "O", "O", "B-MISC", "I-MISC", "I-MISC", "O", None], ["B-PER", "I-PER", "O"]]
    return Case(kept("token classes", given, classes), {"tags": told}, {"entity_f1": 0.5, "token_accuracy": 0.8}[name])


def of_answers(name: str) -> Case:
    """Of the four answers two are right, and one has two of four words: 2 * 2 / (4 + 2)."""
    given = ["The Denver Broncos", "in 1066", "red and green apples", ""]
    told = [["Denver Broncos", "Broncos"], ["1067"], ["green apples"], []]
    expected = {"answer_exact_match": 0.5, "answer_f1": (1 + 0 + 2 / 3 + 1) / 4}[name]
    return Case(kept("spans", given), {"answers": told}, expected)


GIVEN = ["the cat sat on the mat", "a dog barked loudly", "Rain fell, all day", " as told "]
TOLD = ["The cat sat on a mat.", "a dog barked", "rain fell all night", "as told"]


def of_texts(name: str) -> Case:
    def rouge(kind: str) -> float:
        scorer = rouge_scorer.RougeScorer([kind], use_stemmer=True)
        return float(np.mean([scorer.score(a, b)[kind].fmeasure for a, b in zip(TOLD, GIVEN, strict=True)]))

    lower = [[text.lower() for text in side] for side in (TOLD, GIVEN)]
    expected: dict[str, tuple[Callable[[], Any], dict[str, Any]]] = {
        "rouge1": (lambda: rouge("rouge1"), {"stemmer": True}),
        "rouge2": (lambda: rouge("rouge2"), {"stemmer": True}),
        "rougeL": (lambda: rouge("rougeL"), {"stemmer": True}),
        "bleu": (lambda: sacrebleu.corpus_bleu(GIVEN, [TOLD], lowercase=True).score, {"lowercase": True}),
        "chrf": (lambda: sacrebleu.corpus_chrf(GIVEN, [TOLD], word_order=2).score, {"word_order": 2}),
        "exact_match": (lambda: 0.25, {}),
        "word_error_rate": (lambda: jiwer.wer(*lower), {"normalise": "lower"}),
        "character_error_rate": (lambda: jiwer.cer(*lower), {"normalise": "lower"}),
    }
    value, settings = expected[name]
    return Case(kept("texts", GIVEN), {"reply": TOLD}, value(), settings)


def of_maps(name: str, folder: Path) -> Case:
    rng = np.random.default_rng(1)
    told = rng.integers(0, 3, (4, 5, 6)).astype(np.uint8)
    given = np.where(rng.random(told.shape) < 0.7, told, 0).astype(np.uint8)
    told[:, 0] = 255
    for row, one in enumerate(told):
        Image.fromarray(one).save(folder / f"{row}.png")
    masks = [Picture(f"row {row}", "mask", folder, f"{row}.png") for row in range(4)]
    counts = told != 255
    value = {
        "mean_iou": lambda: sk.jaccard_score(told[counts], given[counts], average="macro"),
        "pixel_accuracy": lambda: (told == given)[counts].mean(),
    }[name]()
    return Case(kept("class maps", Ragged.of(list(given)), ("a", "b", "c")), {"mask": masks}, value)


def of_depths(name: str) -> Case:
    rng = np.random.default_rng(2)
    told = rng.integers(500, 5000, (3, 4, 5))
    given = told * 0.001 * rng.uniform(0.6, 1.4, told.shape)
    true = told * 0.001
    value = {
        "depth_relative_error": np.abs(given / true - 1).mean(),
        "depth_rmse": np.sqrt(((given - true) ** 2).mean((1, 2))).mean(),
        "depth_delta1": (np.maximum(given / true, true / given) < 1.25).mean(),
    }[name]
    return Case(kept("depth maps", Ragged.of(list(given))), {"depth": list(told)}, value, {"scale": 0.001})


def of_boxes(name: str) -> Case:
    given, told = detected(0)
    lines = [
        [
            {
                "box": dict(zip(("xmin", "ymin", "xmax", "ymax"), box, strict=True)),
                "label": "abcd"[kind],
                "score": score,
            }
            for box, kind, score in zip(one.boxes.tolist(), one.classes, one.scores.tolist(), strict=True)
        ]
        for one in given
    ]
    objects = [
        {
            "bbox": [[left, top, right - left, bottom - top] for left, top, right, bottom in one.boxes.tolist()],
            "category": one.classes.tolist(),
            "iscrowd": one.crowd.tolist(),
        }
        for one in told
    ]
    return Case(kept("boxes", lines, tuple("abcd")), {"boxes": objects}, judged(given, told).stats[PRECISIONS[name]])


PRECISIONS = {"mean_average_precision": 0, "average_precision_50": 1}
"""Metric -> its place among the figures of pycocotools."""


def of_numbers(name: str) -> Case:
    rng = np.random.default_rng(3)
    told = rng.normal(size=(ROWS, 2))
    given = told + rng.normal(size=(ROWS, 2))
    expected = {
        "mean_absolute_error": sk.mean_absolute_error(told, given),
        "root_mean_squared_error": np.sqrt(sk.mean_squared_error(told, given)),
        "r2": sk.r2_score(told, given),
    }
    return Case(kept("outputs", given), {"target": list(told)}, expected[name])


def best_f1(labels: Any, scores: Any) -> float:
    return max(sk.f1_score(labels, scores >= one) for one in scores)


RANKS = {"roc_auc": sk.roc_auc_score, "average_precision": sk.average_precision_score, "best_f1": best_f1}


def of_anomalies(name: str) -> Case:
    rng = np.random.default_rng(4)
    labels = rng.integers(0, 2, ROWS)
    if name in RANKS:
        scores = rng.normal(size=(ROWS, 2)) + np.stack([np.zeros(ROWS), labels], 1)
        return Case(kept("class scores", scores), {"label": labels}, RANKS[name](labels, scores[:, 1] - scores[:, 0]))
    taken = rng.normal(size=(ROWS, 4, 2))
    given = taken + rng.normal(size=taken.shape) * (0.5 + labels)[:, None, None]
    error = ((given - taken) ** 2).mean((1, 2))
    value = RANKS[name.removeprefix("reconstruction_")](labels, error)
    return Case(kept("outputs", given), {"label": labels, "target": list(taken)}, value)


def of_images(name: str) -> Case:
    """By the mean squared error, and by the constant images whose similarity follows from their means alone."""
    if name == "psnr":
        told = np.random.default_rng(5).random((3, 3, 12, 12))
        given = told + np.array([0.1, 0.01, 0])[:, None, None, None]
        return Case(kept("outputs", given), {"target": list(told)}, (20 + 40 + 100) / 3)
    given, told = np.full((2, 1, 12, 12), 51.0), np.full((2, 1, 12, 12), 102.0)
    c = (0.01 * 255) ** 2
    value = (2 * 51 * 102 + c) / (51**2 + 102**2 + c)
    return Case(kept("outputs", given), {"target": list(told)}, value, {"highest": 255.0})


def of_drawings(name: str) -> Case:
    """Images that are one lighter everywhere, or equal: their similarities follow from their means."""
    if name == "clip_score":
        one = np.array([[3.0, 4.0], [0.0, 2.0], [1.0, 0.0]])
        texts = np.array([[5.0, 0.0], [0.0, 0.1], [-1.0, 0.0]])
        return Case(Kept("embeddings", 3, (), {}, one, {"other": texts}), {}, 100 * (0.6 + 1 + 0) / 3)
    told = np.full((2, 12, 16, 3), 100, np.uint8)
    given = told + np.array([1, 0], np.uint8)[:, None, None, None]
    c = (0.01 * 255) ** 2
    value = {
        "image_psnr": (20 * np.log10(255) + 100) / 2,
        "image_ssim": ((2 * 100 * 101 + c) / (100**2 + 101**2 + c) + 1) / 2,
    }[name]
    return Case(kept("images", given), {}, value, {}, kept("images", told))


def of_embeddings(name: str) -> Case:
    rng = np.random.default_rng(6)
    one, other = rng.normal(size=(2, ROWS, 5))
    other += one
    cosine = [float(a @ b / np.linalg.norm(a) / np.linalg.norm(b)) for a, b in zip(one, other, strict=True)]
    if name in ("embedding_cosine", "text_similarity"):
        return Case(kept("embeddings", one), {}, np.mean(cosine), {}, kept("embeddings", other))
    both = Kept("embeddings", ROWS, (), {}, one, {"other": other})
    if name.startswith("similarity"):
        scores = list(rng.normal(size=ROWS))
        value = {"similarity_spearman": stats.spearmanr, "similarity_pearson": stats.pearsonr}[name](cosine, scores)
        return Case(both, {"text_pair": [""] * ROWS, "score": scores}, value.statistic)
    likeness = sk.pairwise.cosine_similarity(one, other)
    expected = {
        "retrieval_ndcg": lambda: sk.ndcg_score(np.eye(ROWS), likeness, k=3),
        "retrieval_recall": lambda: sk.top_k_accuracy_score(range(ROWS), likeness, k=3),
    }
    texts = [f"document {row}" for row in range(ROWS)]
    return Case(both, {"query": texts, "document": texts}, expected[name](), {"cutoff": 3})


def of_masks(name: str) -> Case:
    if name == "mask_divergence":
        rng = np.random.default_rng(7)
        both = [Ragged.of([rng.normal(size=(masks, 9)) for masks in (1, 3)]) for _ in range(2)]
        one, other = (special.log_softmax(np.concatenate([*side]), -1) for side in both)
        expected = special.rel_entr(np.exp(other), np.exp(one)).sum() / 4
        return Case(kept("masked scores", both[0]), {}, expected, {}, kept("masked scores", both[1]))
    given, told = [["a"], [" b", "c"], ["d"]], [["a"], ["b", "x"], ["e"]]
    against = kept("masked tokens", told) if name == "mask_agreement" else None
    return Case(kept("masked tokens", given), {} if against else {"answers": told}, 0.5, {}, against)


NAMES: dict[str, Callable[..., Case]] = {
    **dict.fromkeys(
        (
            *(
                "accuracy",
                "top_k_accuracy",
                "f1_macro",
                "f1_micro",
                "f1_weighted",
                "balanced_accuracy",
                "matthews_correlation",
            ),
            "decision_agreement",
        ),
        of_classes,
    ),
    **dict.fromkeys(("entity_f1", "token_accuracy"), of_words),
    **dict.fromkeys(("answer_exact_match", "answer_f1"), of_answers),
    **dict.fromkeys(
        ("exact_match", "rouge1", "rouge2", "rougeL", "bleu", "chrf", "word_error_rate", "character_error_rate"),
        of_texts,
    ),
    **dict.fromkeys(("mean_iou", "pixel_accuracy"), of_maps),
    **dict.fromkeys(("depth_relative_error", "depth_rmse", "depth_delta1"), of_depths),
    **dict.fromkeys(PRECISIONS, of_boxes),
    **dict.fromkeys(("mean_absolute_error", "root_mean_squared_error", "r2"), of_numbers),
    **dict.fromkeys((*RANKS, *(f"reconstruction_{name}" for name in RANKS)), of_anomalies),
    **dict.fromkeys(("psnr", "ssim"), of_images),
    **dict.fromkeys(("image_psnr", "image_ssim", "clip_score"), of_drawings),
    **dict.fromkeys(("mask_accuracy", "mask_agreement", "mask_divergence"), of_masks),
    **dict.fromkeys(
        (
            *("similarity_spearman", "similarity_pearson", "retrieval_recall", "retrieval_ndcg"),
            *("embedding_cosine", "text_similarity"),
        ),
        of_embeddings,
    ),
}


@pytest.mark.parametrize("name", NAMES)
def test_a_metric_is_the_independent_figure(name: str, tmp_path: Path) -> None:
    family, make = FAMILIES[name], NAMES[name]
    case = make(name, tmp_path) if make is of_maps else make(name)
    defaults = {key: family.settings[key]["default"] for key in family.function_settings}
    found: Any = measure(family, case.kept, case.reference or case.kept, case.targets, {**defaults, **case.settings})
    told = found.result
    np.testing.assert_allclose(told["values"][name], case.expected, rtol=0, atol=1e-6)
    (metric,) = family.metrics
    low, high = told["intervals"][name]
    assert metric.least <= low <= told["values"][name] <= high <= metric.most
    if not family.compares:
        assert told["differences"][name]["value"] == 0


def test_every_metric_of_kept_rows_is_held_here() -> None:
    elsewhere = {"choices", "replies", "harness"}  # integration/test_choices.py and test_harness.py hold these
    ours = {
        name
        for name, family in FAMILIES.items()
        if family.function and not family.distribution and family.module.rpartition(".")[2] not in elsewhere
    }
    assert ours == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_metric_says_what_it_is(name: str) -> None:
    family = FAMILIES[name]
    assert family.source and set(family.rows) <= set(FORMS)
    assert all("description" in schema for schema in family.settings.values())
    assert bool(family.extra) == bool(set(family.libraries) - {"numpy", "scipy"})
    assert math.isfinite(family.metrics[0].most) or family.metrics[0].better == "lower" or name.endswith("psnr")
