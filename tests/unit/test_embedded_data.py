"""The embedded models and data sets: complete, small, and split without leaks."""

from __future__ import annotations

import json
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from runner import embedded
from runner.embedded.train.dialogue import EOS, held_out_dialogues, training_dialogues
from runner.embedded.train.world import topics

LIMIT = 12 * 1000 * 1000  # bytes
ROWS = {"dialogue-train": 500, "dialogue-eval": 400}
IMAGES = {"digits-calibration": 300, "digits-evaluation": 450}


def rows(dataset: str) -> list[dict[str, str]]:
    lines = embedded.DATASETS[dataset].read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


@pytest.mark.parametrize("model", embedded.MODELS.values(), ids=lambda model: model.id)
def test_a_model_is_a_complete_folder(model: embedded.EmbeddedModel) -> None:
    names = {"config.json", "model.safetensors", "README.md"}
    if model.task == "text-generation-with-past":
        names |= {"generation_config.json", "tokenizer.json", "tokenizer_config.json"}
    assert {path.name for path in model.path.iterdir()} == names
    assert json.loads((model.path / "config.json").read_text(encoding="utf-8"))["model_type"] in {"gpt2", "resnet"}


def test_everything_together_is_small() -> None:
    folder = Path(embedded.__file__).parent
    assert sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) < LIMIT


@pytest.mark.parametrize(("dataset", "count"), ROWS.items())
def test_dialogue_rows_hold_text_prompt_and_reply(dataset: str, count: int) -> None:
    found = rows(dataset)
    assert len(found) == count
    for row in found:
        assert list(row) == ["text", "prompt", "reply"]
        assert row["prompt"].endswith(EOS)
        assert row["reply"]
        assert row["text"] == row["prompt"] + row["reply"] + EOS
        assert len(row["text"].split(EOS)) % 2 == 1


@pytest.mark.parametrize(("dataset", "count"), IMAGES.items())
def test_digits_are_images_and_labels(dataset: str, count: int) -> None:
    with np.load(embedded.DATASETS[dataset]) as arrays:
        images, labels = arrays["images"], arrays["labels"]
    assert (images.shape, images.dtype, images.max()) == ((count, 8, 8, 1), np.uint8, 16)
    assert (labels.shape, labels.dtype) == ((count,), np.int64)
    assert set(labels) == set(range(10))


def test_no_calibration_image_is_an_evaluation_image() -> None:
    calibration, evaluation = (np.load(embedded.DATASETS[name])["images"] for name in IMAGES)
    assert not {image.tobytes() for image in calibration} & {image.tobytes() for image in evaluation}


def test_the_generator_is_deterministic() -> None:
    assert list(islice(training_dialogues(3), 200)) == list(islice(training_dialogues(3), 200))
    assert list(islice(training_dialogues(3), 200)) != list(islice(training_dialogues(4), 200))
    assert held_out_dialogues(3, 50) == held_out_dialogues(3, 50)


def test_the_shipped_dialogues_are_what_the_generator_makes() -> None:
    train = list(islice(training_dialogues(0), ROWS["dialogue-train"]))
    assert [row["text"] for row in rows("dialogue-train")] == [dialogue.text for dialogue in train]
    held_out = held_out_dialogues(0, ROWS["dialogue-eval"])
    assert [row["text"] for row in rows("dialogue-eval")] == [dialogue.text for dialogue in held_out]


def test_no_held_out_prompt_is_in_the_training_data() -> None:
    held_out = {row["prompt"] for row in rows("dialogue-eval")}
    assert len(held_out) == ROWS["dialogue-eval"]
    training = EOS + "".join(dialogue.text for dialogue in islice(training_dialogues(0), 20000))
    assert not [prompt for prompt in held_out if EOS + prompt in training]


def test_no_held_out_sum_is_in_the_training_data_in_any_wording() -> None:
    alone = (row for row in rows("dialogue-eval") if row["prompt"].count(EOS) == 1)
    sums = {row["reply"] for row in alone if " plus " in row["reply"]}
    assert sums
    assert not sums & {turn for dialogue in islice(training_dialogues(0), 20000) for turn in dialogue.turns}


def test_every_question_with_the_same_words_has_one_reply() -> None:
    replies: dict[str, str] = {}
    for dialogue in islice(training_dialogues(0), 20000):
        if len(dialogue.turns) == 2:
            assert replies.setdefault(dialogue.prompt, dialogue.reply) == dialogue.reply


def test_the_world_is_well_formed() -> None:
    assert len({topic.name for topic in topics()}) == len(topics())
    for topic in topics():
        templates = [*topic.wordings, *topic.follow_ups, *topic.sequels, *topic.recalls, topic.reply]
        assert all(template.format(**fact) for template in templates for fact in topic.facts)
        assert bool(topic.recalls) == bool(topic.recall_reply)
