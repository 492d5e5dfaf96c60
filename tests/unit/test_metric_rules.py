"""A metric that the task, the data or this machine don't fit is refused, with what does."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from runner.model.classes import class_names
from runner.plan.label_rules import no_classes
from runner.recipe import load_recipe
from runner.recipe.dataset import Dataset
from runner.recipe.judge import metric_rules
from runner.registry.metrics import FAMILIES

AT = ("accuracy", "checks", 0)


def dataset(*roles: str) -> Dataset:
    return Dataset("rows", "file", Path("rows.jsonl"), "jsonl", columns={role: role for role in roles})


def told(name: str, task: object, *roles: str, **changed: object) -> list[tuple[object, str, str | None]]:
    family = replace(FAMILIES[name], **changed)  # type: ignore[arg-type]
    return [
        (found.path[-1], found.what, found.allowed) for found in metric_rules.check(AT, family, dataset(*roles), task)
    ]


def test_what_fits_is_not_refused() -> None:
    assert not told("f1_macro", "text-classification", "text", "label")
    assert not told("f1_macro", None, "text", "label")  # which is judged once the task is found
    assert not told("entity_f1", "token-classification", "tokens", "tags")
    assert not told("mean_iou", "semantic-segmentation", "image", "mask")
    assert not told("retrieval_ndcg", "feature-extraction", "query", "document")


def test_a_package_that_is_not_installed_is_told_with_its_extra() -> None:
    libraries = ("numpy", "no-such-package")
    found = told("f1_macro", None, "text", "label", libraries=libraries, extra="metrics")
    what = "f1_macro is measured with the package no-such-package, which is not installed"
    assert found == [("metric", what, "pip install 'ovrun[metrics]'")]


def test_another_task_is_told_with_the_metrics_that_fit_it() -> None:
    ((key, what, allowed),) = told("mean_iou", "token-classification", "tokens", "tags", "mask")
    assert key == "metric" and "mean_iou is measured on class maps, and models for token-classification give" in what
    assert allowed is not None and allowed.startswith("metrics that fit: entity_f1, token_accuracy")
    ((_, what, _),) = told("word_error_rate", "text2text-generation", "text", "reply")
    assert (
        what
        == "word_error_rate is of models for automatic-speech-recognition, and the model's task is text2text-generation"
    )


@pytest.mark.parametrize(
    ("name", "task", "roles", "key", "what"),
    [
        (
            "f1_macro",
            "text-classification",
            ("image", "label"),
            "dataset",
            'nothing of "rows" feeds a model for text-class',
        ),
        (
            "f1_macro",
            "text-classification",
            ("text",),
            "dataset",
            '"rows" has no column for `label`, which f1_macro needs',
        ),
        ("retrieval_ndcg", "feature-extraction", ("text",), "dataset", "no column for `query` and `document`, which"),
    ],
)
def test_what_a_dataset_lacks_is_told(name: str, task: str, roles: tuple[str, ...], key: str, what: str) -> None:
    ((found, said, _),) = told(name, task, *roles)
    assert found == key and what in said


@pytest.mark.parametrize(("label", "told"), [("cta", 'no class of the model "cta"'), ("1", "")])
def test_labels_of_other_classes_are_told_by_the_plan(label: str, told: str, tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text(f"words,kind\none,dog\ntwo,{label}\n")
    (tmp_path / "mine.yaml").write_text("""
model: {source: local, path: model, task: text-classification}
datasets: {rows: {source: file, path: rows.csv, columns: {text: words, label: kind}}}
accuracy:
  checks:
    - {metric: accuracy, dataset: rows, min: 0.5}
    - {metric: f1_macro, dataset: rows, min: 0.5}
""")
    recipe = load_recipe(str(tmp_path / "mine.yaml"))
    found = [str(problem) for problem in no_classes(recipe, {"id2label": {"0": "cat", "1": "dog"}})]
    assert len(found) == bool(told) and told in "".join(found)
    assert not list(no_classes(recipe, {}))


@pytest.mark.parametrize(("classes", "told"), [(["LABEL_0", "LABEL_1"], True), (["O", "B-PER", "I-PER"], False)])
def test_entities_of_a_model_without_their_tags_are_told_by_the_plan(
    classes: list[str], told: bool, tmp_path: Path
) -> None:
    (tmp_path / "rows.jsonl").write_text('{"tokens": ["a"], "tags": [0]}\n')
    (tmp_path / "mine.yaml").write_text("""
model: {source: local, path: model, task: token-classification}
datasets: {rows: {source: file, path: rows.jsonl, columns: {tokens: tokens, tags: tags}}}
accuracy:
  checks:
    - {metric: entity_f1, dataset: rows, min: 0.5}
    - {metric: token_accuracy, dataset: rows, min: 0.5}
""")
    recipe = load_recipe(str(tmp_path / "mine.yaml"))
    found = [str(problem) for problem in no_classes(recipe, {"id2label": dict(enumerate(classes))})]
    assert len(found) == told
    if told:
        assert "mine.yaml:6:16: accuracy.checks.0.metric: the model's classes are no tags of entities" in found[0]
        assert found[0].endswith("LABEL_0 and LABEL_1; token_accuracy is of any classes of words")


def test_a_classifier_of_two_classes_has_the_names_that_transformers_leaves_out(tmp_path: Path) -> None:
    names = {"BertForSequenceClassification": ("LABEL_0", "LABEL_1"), "BertModel": ()}
    for architecture, expected in names.items():
        (tmp_path / "config.json").write_text(json.dumps({"architectures": [architecture]}))
        assert class_names(tmp_path) == expected


def test_images_are_drawn_of_sides_that_a_pipeline_takes() -> None:
    assert not list(metric_rules.contradictions(AT, {"metric": "image_psnr", "height": 64, "width": 512}))
    (found,) = metric_rules.contradictions(AT, {"metric": "image_psnr", "height": 64, "width": 65})
    assert (found.path[-1], found.allowed) == ("width", "use 64 or 72") and "65 pixels are no multiple" in found.what
    ((_, what, _),) = told("image_ssim", "image-to-image", "prompt")
    assert "image_ssim is measured on images, and models for image-to-image are not asked" in what
