"""The page of tasks says what their declarations say, which name classes that exist, and import nothing heavy."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.registry.tasks import ARRAYS, PAST, TASKS, family_of, task_of
from runner.report.tasks_page import page

ROOT = Path(__file__).parents[2]


def test_the_page_is_current() -> None:
    current = (ROOT / "docs" / "tasks.md").read_text(encoding="utf-8") == page()
    assert current, "docs/tasks.md is out of date: make reference"


def test_each_name_is_of_one_family() -> None:
    names = [name for family in TASKS.values() for name in family.names]
    assert len(names) == len(set(names))
    assert all(family_of(name) is family for family in TASKS.values() for name in family.names)
    assert family_of(None) is family_of("no-such-task") is TASKS[ARRAYS]


@pytest.mark.parametrize(
    "architecture, task",
    [
        ("GPT2LMHeadModel", "text-generation" + PAST),
        ("Wav2Vec2ForSequenceClassification", "audio-classification"),
        ("BertForSequenceClassification", "text-classification"),
        ("HubertForCTC", "automatic-speech-recognition"),
        ("MT5ForConditionalGeneration", "text2text-generation" + PAST),
        ("LlavaForConditionalGeneration", "image-text-to-text"),
        ("Qwen2VLForConditionalGeneration", None),
        ("BertModel", None),
    ],
)
def test_the_longest_fitting_end_of_an_architecture_tells_the_task(architecture: str, task: str | None) -> None:
    assert task_of({"architectures": [architecture]}) == task


def test_what_tells_nothing() -> None:
    for told in ({}, {"architectures": []}, {"architectures": ["A", "B"]}, {"architectures": "GPT2LMHeadModel"}):
        assert task_of(told) is None
