"""Metrics of tasks on models that really run, each against what NumPy and a library make of the same model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sklearn.metrics as sk
from scipy import stats

from runner import api
from runner.embedded import DATASETS
from runner.errors import SourceError
from runner.recipe.dataset import Dataset
from tests.predictions import kept, measured, rows
from tests.readers import SIZE, VOCABULARY, hidden, reader, weights

TEXTS = [f"{one} {other}" for one in ("ab", "cat", "do") for other in ("ae", "bo", "cy", "dog")]


def tokens_of(model: Path, text: str) -> tuple[Any, Any]:
    """Tokens of a text, and what the model makes of them before its head."""
    from transformers import AutoTokenizer

    ids = np.array(AutoTokenizer.from_pretrained(model)(text)["input_ids"])
    return ids, hidden(ids, np.zeros_like(ids))


def test_f1_of_classes_of_texts(tmp_path: Path) -> None:
    model = tmp_path / "model"
    reader(model, "pooled")
    best = [int((tokens_of(model, text)[1].mean(0) @ weights(3, SIZE).T).argmax()) for text in TEXTS]
    labels = [(number + row % 2) % 3 for row, number in enumerate(best)]
    lines = [{"text": text, "label": f"class {label}"} for text, label in zip(TEXTS, labels, strict=True)]
    data = rows(tmp_path / "a.jsonl", lines, ["text", "label"])
    found = measured("f1_macro", "text-classification", model, data, tmp_path / "out")
    assert found["values"]["f1_macro"] == pytest.approx(sk.f1_score(labels, best, average="macro"))
    assert found["details"]["confusion"] == sk.confusion_matrix(labels, best, labels=range(3)).tolist()
    agreed = measured("decision_agreement", "text-classification", model, data, tmp_path / "agreed")
    assert agreed["values"]["decision_agreement"] == 1
    wrong = rows(tmp_path / "b.jsonl", [{"text": "ab", "label": "clas 1"}], ["text", "label"])
    with pytest.raises(SourceError, match=r'row 1, label: no class of the model "clas 1"; .*did you mean class 1\?'):
        measured("f1_macro", "text-classification", model, wrong, tmp_path / "wrong")


def test_entities_of_words(tmp_path: Path) -> None:
    model, names = tmp_path / "model", ("O", "B-X", "I-X")
    reader(model, "each", config={"id2label": dict(enumerate(names))})
    lines = []
    for text in TEXTS:
        best = (tokens_of(model, text)[1] @ weights(3, SIZE).T).argmax(-1)
        words = text.split()
        firsts = [1, 1 + len(tokens_of(model, words[0])[0]) - 2]
        lines.append({"tokens": words, "tags": [names[best[first]] for first in firsts]})
    lines[0]["tags"] = ["B-X" if tag == "O" else "O" for tag in lines[0]["tags"]]
    data = rows(tmp_path / "a.jsonl", lines, ["tokens", "tags"])
    found = measured("token_accuracy", "token-classification", model, data, tmp_path / "out")
    assert found["values"]["token_accuracy"] == pytest.approx(1 - 2 / (2 * len(TEXTS)))
    entities = measured("entity_f1", "token-classification", model, data, tmp_path / "entities")
    assert 0 <= entities["values"]["entity_f1"] < 1 and entities["details"]["entities"]["told"] > 0


def test_answers_in_a_text(tmp_path: Path) -> None:
    reader(tmp_path / "model", "ends")
    lines = [{"question": "ab cat", "context": f"{text} dog bo ae"} for text in TEXTS[:4]]
    asked = rows(tmp_path / "a.jsonl", lines, ["question", "context"])
    spans = kept(tmp_path / "model", "question-answering", "spans", asked, tmp_path / "kept").values
    told = [
        {**line, "answers": [span, "x"] if row % 2 else ["zz"]}
        for row, (line, span) in enumerate(zip(lines, spans, strict=True))
    ]
    data = rows(tmp_path / "b.jsonl", told, ["question", "context", "answers"])
    for metric in ("answer_f1", "answer_exact_match"):
        found = measured(metric, "question-answering", tmp_path / "model", data, tmp_path / metric)
        assert found["values"][metric] == 0.5


def test_masked_tokens(tmp_path: Path) -> None:
    model = tmp_path / "model"
    reader(model, "each", classes=VOCABULARY)
    ids, states = tokens_of(model, "ab [MASK] cat [MASK]")
    best = (states[ids == 4] @ weights(VOCABULARY, SIZE).T).argmax(-1)
    words = {
        number: word for word, number in json.loads((model / "tokenizer.json").read_text())["model"]["vocab"].items()
    }
    line = {"text": "ab [MASK] cat [MASK]", "answers": [words[int(best[0])].removeprefix("##"), "other"]}
    data = rows(tmp_path / "a.jsonl", [line], ["text", "answers"])
    found = measured("mask_accuracy", "fill-mask", model, data, tmp_path / "out")
    assert found["values"]["mask_accuracy"] in (0.5, 0.0) and found["rows"] == 1
    agreed = measured("mask_agreement", "fill-mask", model, data, tmp_path / "agreed")
    assert agreed["values"]["mask_agreement"] == 1


def test_distributions_of_masked_tokens(tmp_path: Path) -> None:
    import torch

    lines = ["ab [MASK] cat [MASK]", "[MASK] do"]
    data, scores = rows(tmp_path / "a.jsonl", [{"text": line} for line in lines], ["text"]), []
    for name, scale in (("model", 1.0), ("base", 1.25)):
        reader(tmp_path / name, "each", classes=VOCABULARY, scale=scale)
        found = [tokens_of(tmp_path / name, line) for line in lines]
        masked = np.concatenate([states[ids == 4] for ids, states in found])
        scores.append(torch.log_softmax(torch.from_numpy(scale * masked @ weights(VOCABULARY, SIZE).T), -1))
    told = measured("mask_divergence", "fill-mask", tmp_path / "model", data, tmp_path / "out", tmp_path / "base")
    expected = torch.nn.functional.kl_div(*scores, log_target=True, reduction="batchmean")
    assert told["values"]["mask_divergence"] == pytest.approx(float(expected), abs=1e-5) and expected > 1e-3
    same = measured("mask_divergence", "fill-mask", tmp_path / "model", data, tmp_path / "same")
    assert same["values"]["mask_divergence"] == 0


def test_pairs_of_texts_and_queries_with_documents(tmp_path: Path) -> None:
    model = tmp_path / "model"
    reader(model, "none")
    others = TEXTS[1:] + TEXTS[:1]
    one, other = (np.stack([tokens_of(model, text)[1].mean(0) for text in side]) for side in (TEXTS, others))
    likeness = sk.pairwise.cosine_similarity(one, other)
    scores = list(range(len(TEXTS)))
    pairs = [
        {"text": a, "text_pair": b, "query": a, "document": b, "score": score}
        for a, b, score in zip(TEXTS, others, scores, strict=True)
    ]
    alike = rows(tmp_path / "a.jsonl", pairs, ["text", "text_pair", "score"])
    found = measured("similarity_spearman", "feature-extraction", model, alike, tmp_path / "alike")
    expected = stats.spearmanr(likeness.diagonal(), scores).statistic
    assert found["values"]["similarity_spearman"] == pytest.approx(expected)
    asked = rows(tmp_path / "b.jsonl", pairs, ["query", "document"])
    ranked = measured("retrieval_ndcg", "feature-extraction", model, asked, tmp_path / "asked")
    assert ranked["values"]["retrieval_ndcg"] == pytest.approx(sk.ndcg_score(np.eye(len(TEXTS)), likeness, k=10))
    same = measured("embedding_cosine", "feature-extraction", model, asked, tmp_path / "same")
    assert same["values"]["embedding_cosine"] == pytest.approx(1)


def autoencoder(folder: Path, noise: float) -> Any:
    """A linear one of 6 numbers by way of 2, whose matrix is given back."""
    import openvino as ov
    from openvino import opset13 as op

    basis = np.linalg.qr(weights(6, 2))[0]
    matrix = (basis @ basis.T + noise * weights(6, 6, seed=1)).astype(np.float32)
    x = op.parameter([-1, 6], np.float32, name="x")
    x.output(0).set_names({"x"})
    folder.mkdir()
    model = ov.Model([op.result(op.matmul(x, op.constant(matrix), False, True))], [x], "autoencoder")
    ov.save_model(model, folder / "openvino_model.xml", compress_to_fp16=False)
    return matrix, basis


def test_a_detector_of_anomalies_that_fails_is_found_out(tmp_path: Path) -> None:
    """Its outputs are near to the reference's, but its errors tell anomalies no more."""
    original, basis = autoencoder(tmp_path / "original", 0.0)
    matrix, _ = autoencoder(tmp_path / "model", 0.1)
    rng = np.random.default_rng(0)
    labels = np.arange(200) % 4 == 0
    x = (
        rng.normal(size=(200, 2)) @ basis.T + rng.normal(size=(200, 6)) * np.where(labels, 0.06, 0.02)[:, None]
    ).astype(np.float32)
    np.savez(tmp_path / "a.npz", x=x, y=labels.astype(np.int64))
    data = Dataset("a", "file", tmp_path / "a.npz", "npz", columns={"label": "y", "target": "x"}, inputs={"": "x"})
    found = measured(
        "reconstruction_roc_auc", "arrays", tmp_path / "model", data, tmp_path / "out", base=tmp_path / "original"
    )
    value, reference = (sk.roc_auc_score(labels, ((x @ one.T - x) ** 2).mean(1)) for one in (matrix, original))
    assert found["values"]["reconstruction_roc_auc"] == pytest.approx(value, abs=1e-6)
    assert found["reference_values"]["reconstruction_roc_auc"] == pytest.approx(reference, abs=1e-6)
    low, high = found["differences"]["reconstruction_roc_auc"]["interval"]
    assert low < value - reference < high < -0.1


RECIPE = """
model: {source: embedded, id: digits-cnn}
datasets:
  seen: {source: embedded, id: digits-calibration, inputs: images, preprocess: {scale: 1/16, layout: NHWC->NCHW}}
  held:
    source: embedded
    id: digits-evaluation
    inputs: images
    labels: labels
    preprocess: {scale: 1/16, layout: NHWC->NCHW}
compression: {algorithm: quantization, dataset: seen, subset_size: 20}
accuracy:
  checks:
    - {metric: f1_macro, dataset: held, max_drop: 0.1}
    - {metric: top_k_accuracy, k: 2, dataset: held, min: 0.9}
    - {metric: matthews_correlation, dataset: held, min: 0.8}
    - {metric: decision_agreement, dataset: held, min: 0.9}
"""


def test_a_recipe_measures_one_run_by_several_metrics(tmp_path: Path) -> None:
    (tmp_path / "digits.yaml").write_text(RECIPE)
    version = api.optimize(str(tmp_path / "digits.yaml"), outputs=tmp_path / "outputs")
    predictions = [stage for stage in version.manifest["stages"] if stage["label"].startswith("predict")]
    assert len(predictions) == 2  # of the model and of the reference, for all four
    import openvino as ov

    with np.load(DATASETS["digits-evaluation"]) as arrays:
        images, labels = arrays["images"], arrays["labels"]
    compiled = ov.compile_model(version.path / "openvino_model.xml", "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    scores = np.concatenate([compiled(np.moveaxis(one[None].astype(np.float32) / 16, -1, 1))[0] for one in images])
    best = scores.argmax(1)
    expected = {
        "f1_macro": sk.f1_score(labels, best, average="macro"),
        "top_k_accuracy": sk.top_k_accuracy_score(labels, scores, k=2),
        "matthews_correlation": sk.matthews_corrcoef(labels, best),
    }
    told = {check["metric"]: check for check in version.checks}
    for name, value in expected.items():
        assert told[name]["value"] == pytest.approx(value, abs=1e-6)
    assert told["decision_agreement"]["value"] > 0.9
    assert len(told["f1_macro"]["details"]["confusion"]) == 10
