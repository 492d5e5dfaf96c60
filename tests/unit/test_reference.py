"""The reference page and `ovrun explain` say what the schemas say, of every key."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from runner.base import resources
from runner.cli import main
from runner.recipe.keys.needs import Rules, needs
from runner.recipe.keys.reference import Entry, algorithms, entries
from runner.report.reference_page import page
from tests.conftest import Ovrun

PAGE = Path(__file__).parents[2] / "docs" / "reference.md"
RULES = {"if", "not", "anyOf", "allOf", "complete", "complete_step"}


def entry(key: str, algorithm: str | None = None) -> Entry:
    (found,) = [one for one in entries() if one.key == key and one.algorithm == algorithm]
    return found


def explain(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert main(["explain", *words]) == 0
    return capsys.readouterr().out


def test_the_page_is_current() -> None:
    current = PAGE.read_text(encoding="utf-8") == page()
    assert current, "docs/reference.md is out of date: make reference"


def test_every_link_of_the_page_has_one_target() -> None:
    text = page()
    targets = re.findall(r'<a id="([^"]+)">', text)
    assert len(targets) == len(set(targets)) == len(entries())
    assert set(re.findall(r"\]\(#([^)]+)\)", text)) == set(targets)


def described(schema: Any) -> Iterator[str]:
    """The keys that a schema file describes, wherever in it, but not those that its rules only look at."""
    if isinstance(schema, list):
        for item in schema:
            yield from described(item)
    elif isinstance(schema, dict):
        if "properties" in schema and (schema.get("type") or schema.get("additionalProperties") is False):
            yield from schema["properties"]
        for keyword, value in schema.items():
            if keyword not in RULES:
                yield from described(value)


_NOT_RECIPES = ("manifest.schema.json", "slurm.schema.json")


def test_no_key_of_a_schema_is_left_out() -> None:
    files = [path for path in resources.schemas_dir().glob("*.json") if path.name not in _NOT_RECIPES]
    known = {one.key.rpartition(".")[2] for one in entries()}
    for path in files:
        assert set(described(json.loads(path.read_text(encoding="utf-8")))) <= known, path.name


def test_every_key_is_explained() -> None:
    for one in entries():
        assert one.description and one.source and one.allowed not in ("", "anything"), one


def test_algorithms_have_meanings_of_their_own() -> None:
    assert algorithms()[:2] == ["weight_compression", "quantization"]
    meanings = {one.algorithm: one for one in entries() if one.key == "compression.subset_size"}
    assert meanings["weight_compression"].default == "128" and meanings["quantization"].default == "300"
    assert meanings["quantization"].source == "nncf.quantize"
    assert entry("compression.overflow_fix", "quantization").source == "nncf.AdvancedQuantizationParameters"


@pytest.mark.parametrize(
    ("key", "algorithm", "sentence"),
    [
        ("compression.scale_estimation", "weight_compression", "needs `dataset`"),
        ("compression.dataset", "weight_compression", "required where `gptq` is `true`"),
        ("compression.dataset", "quantization", "required"),
        ("model.task", None, "required where `source` is `local`"),
        ("model.task", None, "only where `source` is `huggingface`, `local` or `embedded`"),
        ("model.path", None, "not where `source` is `huggingface`: a hub model has no path"),
        ("datasets.NAME.prompt", None, "needs `reply`"),
        ("datasets.NAME.inputs", None, "only for arrays (npy, npz)"),
        ("accuracy.checks.max", None, "one of `max`, `min`, `max_drop` or `max_relative_increase` is required"),
        ("accuracy.checks.k", None, "only for top_k_accuracy"),
        (
            "accuracy.checks.metric",
            None,
            "needs a dataset with `tags` beside what feeds the model, for entity_f1 and token_accuracy",
        ),
    ],
)
def test_conditions_become_sentences(key: str, algorithm: str | None, sentence: str) -> None:
    assert sentence in entry(key, algorithm).needs


def test_all_forms_of_conditions() -> None:
    mode = {"properties": {"mode": {"enum": ["a", "b"]}}, "required": ["mode"]}
    schema = {
        "properties": {"mode": {"enum": ["a", "b", "c"]}, "size": {}, "data": {}, "more": {}, "flag": {}},
        "dependentRequired": {"size": ["data"]},
        "if": {"required": ["flag"], "minProperties": 3},
        "then": {"required": ["more"]},
        "allOf": [
            {
                "if": mode,
                "then": {"properties": {"size": {"const": 32}, "more": {"properties": {"deep": {"not": {}}}}}},
                "else": {"properties": {"flag": {"not": {}, "errorMessage": "no flags; remove it"}}},
            },
            {
                "if": {"properties": {"mode": {"const": "c"}}},
                "then": {"properties": {"data": {"if": {"not": {"const": 1}}, "then": {"not": {}}}}},
            },
        ],
    }
    assert needs([schema], Rules(schema["properties"], lambda one: one)) == {
        "size": ("needs `data`", "allowed: 32 where `mode` is `a` or `b`"),
        "more.deep": ("only where `mode` is `c`",),
        "flag": ("only where `mode` is `a` or `b`",),
        "data": ("only `1` where `mode` is `c`",),
    }


def test_explain_a_key(capsys: pytest.CaptureFixture[str]) -> None:
    told = explain(capsys, "compression.scale_estimation")
    for words in (
        "(weight_compression)",
        "true or false",
        "default  false",
        "needs `dataset`",
        "nncf.compress_weights",
    ):
        assert words in told


def test_explain_each_meaning(capsys: pytest.CaptureFixture[str]) -> None:
    told = explain(capsys, "compression.dataset")
    assert told.count("compression.dataset  (") == len([one for one in entries() if one.key == "compression.dataset"])
    told = explain(capsys, "compression.ignored_scope.names")
    assert "compression.ignored_scope.names  (weight_compression; quantization)" in told


@pytest.mark.parametrize(
    ("word", "words"),
    [
        ("accuracy.checks.0.metric", "accuracy.checks.metric"),
        ("datasets.mine.path", "datasets.NAME.path"),
        ("datasets.mine", "preprocess"),
        ("quantization", "compression.overflow_fix"),
        ("compression", "scale_estimation"),
    ],
)
def test_explain_takes_keys_as_messages_and_recipes_have_them(
    word: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert words in explain(capsys, word)


def test_explain_nothing_shows_the_sections(capsys: pytest.CaptureFixture[str]) -> None:
    told = explain(capsys)
    assert [line.split()[0] for line in told.splitlines()] == [one.key for one in entries() if "." not in one.key]


def test_unknown_keys_are_all_told(ovrun: Ovrun) -> None:
    told = ovrun("explain", "compression.rato", "seed", "scale_estimation", "model.sorce", code=2)
    assert told.stdout == ""
    for guess in ("compression.ratio", "compression.scale_estimation", "model.source"):
        assert f"(did you mean {guess}?)" in told.stderr


def test_explain_as_json(ovrun: Ovrun) -> None:
    document = json.loads(ovrun("explain", "model", "compression.subset_size", "--json").stdout)
    model, size = document
    assert model["key"] == "model" and "model.id" in [one["key"] for one in model["keys"]]
    assert [one["default"] for one in size["meanings"]] == ["128", "300"]
    assert json.loads(ovrun("explain", "sede", "--json", code=2).stdout)["exit_code"] == 2
