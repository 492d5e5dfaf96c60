"""What models of other tasks give for rows, held against transformers and against a computation by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from runner.data.calibration import calibration_items, draw
from runner.errors import SourceError
from tests.predictions import kept, rows
from tests.readers import SIZE, VOCABULARY, hidden, looker, reader, tokenizer, weights

WORDS = [["ab", "c!", "de"], ["", "ab" * 20, "b"], ["a"] * 30, ["x"]]
LABELS = {"id2label": {"0": "O", "1": "B-X", "2": "I-X"}}


def best(ids: Any, types: Any = 0) -> Any:
    """The best class of each token of the model with a head for each token."""
    return (hidden(ids, np.zeros_like(ids) + types) @ weights(3, SIZE).T).argmax(-1)


@pytest.mark.parametrize("labels", [LABELS, {}])
def test_words_have_the_class_of_their_first_token(labels: dict[str, Any], tmp_path: Path) -> None:
    from transformers import AutoTokenizer

    reader(tmp_path / "model", "each", config=labels)
    tokenizer(tmp_path / "model", model_max_length=16)
    data = rows(tmp_path / "a.jsonl", [{"tokens": words} for words in WORDS], ["tokens"])
    found = kept(tmp_path / "model", "token-classification", "token classes", data, tmp_path / "out")
    own = AutoTokenizer.from_pretrained(tmp_path / "model")
    for given, words in zip(found.values, WORDS, strict=True):
        encoded = own(words, is_split_into_words=True, truncation=True)
        classes, at = best(np.array(encoded["input_ids"])), encoded.word_ids()
        expected = [classes[at.index(word)] if word in at else 0 if labels else -1 for word in range(len(words))]
        assert given.tolist() == expected
    assert found.protocol["rows_cut"] == 2
    assert found.protocol["words_without_token"] == 1 + 1 + 16


def test_a_text_has_a_class_for_each_token_of_its_own(tmp_path: Path) -> None:
    from transformers import AutoTokenizer

    reader(tmp_path / "model", "each", config=LABELS)
    data = rows(tmp_path / "a.jsonl", [{"text": "ab c d!"}], ["text"])
    (given,) = kept(tmp_path / "model", "token-classification", "token classes", data, tmp_path / "out").values
    own = AutoTokenizer.from_pretrained(tmp_path / "model")
    assert given.tolist() == best(np.array(own("ab c d!")["input_ids"]))[1:-1].tolist()


def test_masked_tokens_are_the_best_of_the_vocabulary(tmp_path: Path) -> None:
    from transformers import AutoTokenizer

    reader(tmp_path / "model", "each", classes=VOCABULARY)
    texts = ["ab [MASK] c", "[MASK][MASK] d"]
    data = rows(tmp_path / "a.jsonl", [{"text": text} for text in texts], ["text"])
    found = kept(tmp_path / "model", "fill-mask", "masked tokens", data, tmp_path / "out")
    own = AutoTokenizer.from_pretrained(tmp_path / "model")
    mask = hidden(np.array([4]), np.array([0])) @ weights(VOCABULARY, SIZE).T
    word = own.decode([int(mask.argmax())])
    assert found.values == [[word], [word, word]]


def test_a_text_without_a_masked_token_is_refused(tmp_path: Path) -> None:
    reader(tmp_path / "model", "each", classes=VOCABULARY)
    data = rows(tmp_path / "a.jsonl", [{"text": "ab [MASK]"}, {"text": "ab c"}], ["text"])
    with pytest.raises(SourceError, match=r"a\.jsonl:2: the text has no \[MASK\]"):
        kept(tmp_path / "model", "fill-mask", "masked tokens", data, tmp_path / "out")


QUESTIONS = [
    {"question": "ab c", "context": "A b, cde! (fgh ij). kl Über mn"},
    {"question": "xy", "context": " ".join(f"{a}{b} {b}." for a in "abcdefgh" for b in "klmnop")},
    {"question": "a", "context": "b"},
]


def answer(own: Any, question: str, context: str, longest: int) -> str:
    """As transformers' pipeline for questions found it: of all windows, the span of words whose ends are likeliest."""
    windows = own(
        *(question, context),
        truncation="only_second",
        max_length=longest,
        stride=longest // 2,
        return_overflowing_tokens=True,
        return_offsets_mapping=True,
    )
    found = []
    for number, ids in enumerate(windows["input_ids"]):
        embedded = hidden(np.array(ids), np.array(windows["token_type_ids"][number]))
        inside = [text == 1 for text in windows.sequence_ids(number)]
        counts = np.array([True, *inside[1:]])
        ends = []
        for seed in (0, 1):
            logits = np.where(counts, embedded @ weights(1, SIZE, seed=seed)[0], -10000.0).astype(np.float64)
            ends.append(np.exp(logits - logits.max()) / np.exp(logits - logits.max()).sum())
        for first in np.flatnonzero(inside):
            for last in range(first, min(first + 15, len(ids))):
                if inside[last]:
                    words = [windows.token_to_word(number, at) for at in (first, last)]
                    start, stop = (windows.word_to_chars(number, word, 1) for word in words)
                    found.append((ends[0][first] * ends[1][last], context[start.start : stop.end]))
    return str(max(found, key=lambda one: one[0])[1])


def test_answers_are_the_likeliest_spans_of_all_windows(tmp_path: Path) -> None:
    from transformers import AutoTokenizer

    reader(tmp_path / "model", "ends")
    tokenizer(tmp_path / "model", model_max_length=40)
    data = rows(tmp_path / "a.jsonl", QUESTIONS, ["question", "context"])
    found = kept(tmp_path / "model", "question-answering", "spans", data, tmp_path / "out")
    own = AutoTokenizer.from_pretrained(tmp_path / "model")
    own.model_input_names = ["input_ids", "token_type_ids", "attention_mask"]
    assert found.values == [answer(own, one["question"], one["context"], 40) for one in QUESTIONS]
    assert int(str(found.protocol["windows"])) > len(QUESTIONS)


def test_a_question_without_room_for_the_text_is_refused(tmp_path: Path) -> None:
    reader(tmp_path / "model", "ends")
    tokenizer(tmp_path / "model", model_max_length=12)
    data = rows(tmp_path / "a.jsonl", [{"question": "a b c " * 9, "context": "d e"}], ["question", "context"])
    with pytest.raises(SourceError, match=r"a\.jsonl:1: its tokenizer fails, such as over a question of 12 tokens"):
        kept(tmp_path / "model", "question-answering", "spans", data, tmp_path / "out")


def test_images_calibrate_as_they_are_predicted_from(tmp_path: Path) -> None:
    import openvino as ov
    from PIL import Image

    looker(tmp_path / "model")
    random = np.random.default_rng(0)
    for number in range(5):
        Image.fromarray(random.integers(0, 256, (9, 9, 3), dtype=np.uint8)).save(tmp_path / f"{number}.png")
    lines = [{"image": f"{number}.png"} for number in range(5)]
    data = rows(tmp_path / "a.jsonl", lines, ["image"])
    model = ov.Core().read_model(tmp_path / "model" / "openvino_model.xml")
    items = calibration_items(data, model, tmp_path / "model", 3, 0)
    chosen = draw(5, 3, 0)
    assert len(items) == 3 != chosen[-1] + 1
    found = kept(tmp_path / "model", "image-classification", "class scores", data, tmp_path / "out")
    compiled = ov.compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    for index, item in zip(chosen, items, strict=True):
        np.testing.assert_allclose(compiled(item)[0][0], found.values[index], rtol=1e-5)
