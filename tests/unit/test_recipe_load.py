"""What `load_recipe` makes: dataclasses, notes of the old grammar, the schemas' promises, and what it costs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hydra import initialize
from hydra.core.global_hydra import GlobalHydra
from hydra.types import RunMode

from runner import embedded
from runner.base import resources
from runner.plan.model_rules import check_against_config
from runner.recipe import load_recipe
from runner.recipe.accuracy import RUNTIME, Check
from runner.recipe.build import build
from runner.recipe.compose import hydra as compose
from runner.recipe.judge.schemas import load_schema
from runner.recipe.load import judge
from runner.recipe.origins import Origin
from runner.recipe.read import documents, search
from runner.recipe.types import IgnoredScope, ModelSource, Preprocess, Quantization, WeightCompression
from runner.registry.formats import FORMATS
from runner.registry.gates import GateKind
from runner.registry.metrics import FAMILIES, METRICS
from runner.registry.sources import SOURCES

EXAMPLES = Path(__file__).parent.parent / "recipes" / "valid"
SCHEMAS = sorted(path.name for path in resources.schemas_dir().glob("*.json"))
DESIGN = """\
input_info:
  sample_size: [1, 512]
  type: "long"
compression:
  algorithm: quantization
  initializer:
    precision:
      bitwidth_per_scope: [[8, 'default']]
    range:
      num_init_samples: 300
    batchnorm_adaptation:
      num_bn_adaptation_samples: 2000
target_device: CPU
"""


def test_default_recipe() -> None:
    recipe = load_recipe("dialogpt-mini-int4")
    assert recipe.model == ModelSource("embedded", id="dialogpt-mini", task="text-generation-with-past")
    assert recipe.compression == (WeightCompression(mode="int4_sym", ratio=0.8, group_size=128),)
    assert recipe.datasets["dialogue_eval"].path == embedded.DATASETS["dialogue-eval"]
    assert recipe.accuracy.checks[0] == Check(
        "kl_divergence", "dialogue_eval", max=0.01, params={"context_length": 256}
    )
    assert recipe.accuracy.runtime["INFERENCE_PRECISION_HINT"] == "f32"
    json.dumps(recipe.resolved)


def test_settings_of_a_metric_keep_their_kinds() -> None:
    recipe = load_recipe("dialogpt-mini-int4")
    checks = [{"metric": "a", "dataset": "dialogue_eval", "max": 1, "k": 5.0, "share": 0.5, "by": "mean"}]
    config = {**recipe.resolved, "accuracy": {"checks": checks}}
    (check,) = build(config, {(): Origin("", "", Path(), (0, 0, 0))}, recipe.path).accuracy.checks
    assert repr(check.params) == "{'k': 5, 'share': 0.5, 'by': 'mean'}"


def test_arrays_and_numbers() -> None:
    recipe = load_recipe(str(EXAMPLES / "onnx-ptq.yaml"))
    assert recipe.datasets["calibration"].preprocess == Preprocess(
        scale=1 / 255, mean=(0.5, 0.4, 0.3), std=(0.2,), layout=("NHWC", "NCHW"), dtype="float16"
    )
    assert recipe.datasets["calibration"].inputs == {"pixels": "images"}
    assert recipe.datasets["evaluation"].inputs == {"": "images"}
    (step,) = recipe.compression
    assert step.subset_size == 64
    assert isinstance(step.subset_size, int)
    assert step.ignored_scope == IgnoredScope(("a", "b"), (".*head.*",), ("Gather",), validate=False)


def test_legacy_recipe_holds_the_old_configuration_word_for_word() -> None:
    assert (resources.recipes_dir() / "nncf-legacy.yaml").read_text(encoding="utf-8").endswith("\n" + DESIGN)


def test_legacy_becomes_todays_parameters() -> None:
    recipe = load_recipe("nncf-legacy")
    assert recipe.compression == (Quantization(dataset="calibration", subset_size=300),)
    assert recipe.input_info[0].sample_size == (1, 512)
    assert recipe.notes == (
        "compression.initializer.precision.bitwidth_per_scope: 8 bits everywhere is what quantization does",
        "compression.initializer.batchnorm_adaptation: bias correction after quantization supersedes it; "
        "it is always on",
    )


def test_all_of_the_legacy_grammar_that_has_a_counterpart() -> None:
    recipe = load_recipe(str(EXAMPLES / "legacy-full.yaml"))
    assert recipe.compression == (
        Quantization(
            dataset="images",
            preset="mixed",
            subset_size=20,
            ignored_scope=IgnoredScope(names=("head",), patterns=(".*fc.*",), validate=False),
            overflow_fix="disable",
            quantize_outputs=True,
            advanced={
                "weights_range_estimator_params": "minmax",
                "activations_range_estimator_params": {"min": PER_MILLE, "max": PER_MILLE},
                "weights_quantization_params": {"mode": "asymmetric", "per_channel": False, "num_bits": 16},
            },
        ),
    )
    assert [note.split(":")[0] for note in recipe.notes] == [
        "compression.initializer.precision.bits",
        "compression.initializer.precision.type",
        "compression.initializer.range",
        "compression.initializer.range.1.type",
        "compression.quantize_inputs",
        "compression.ignored_scopes",
        "compression.activations.per_channel",
        "compression.activations.bits",
    ]


PER_MILLE = {"statistics_type": "quantile", "aggregator_type": "mean", "quantile_outlier_prob": 0.001}


def test_base_recipe_loses_the_section_of_a_group_that_is_chosen_above_it() -> None:
    recipe = load_recipe(str(EXAMPLES / "on-another-recipe.yaml"))
    assert recipe.compression == (WeightCompression(mode="int8_asym"),)
    assert recipe.accuracy.runtime == RUNTIME
    assert len(recipe.accuracy.checks) == 3


def test_merge_keys_and_interpolation() -> None:
    datasets = load_recipe(str(EXAMPLES / "anchors.yaml")).datasets
    assert datasets["b"].preprocess == datasets["a"].preprocess == datasets["c"].preprocess == Preprocess(scale=1 / 16)
    assert (datasets["b"].id, datasets["b"].labels, datasets["c"].id) == (
        "digits-evaluation",
        "labels",
        "digits-calibration",
    )


@pytest.mark.parametrize("name", ["dialogpt-mini-ptq", str(EXAMPLES / "on-another-recipe.yaml")])
def test_our_order_of_documents_is_hydras(name: str) -> None:
    path = search.find_recipe(name)
    files, _ = documents.collect(path, [path.parent, *search.folders()], {})
    by_key = {file.key: file for file in files}
    with compose._stored(files, []), initialize(version_base="1.3", config_path=None):
        loader = GlobalHydra.instance().config_loader()
        defaults = loader.compute_defaults_list(documents.PRIMARY, [], RunMode.RUN).defaults
    hydras = [entry.config_path for entry in defaults if not entry.config_path.startswith("hydra/")]
    assert [file.key for file in compose.in_order(by_key, documents.PRIMARY)] == hydras


def test_loading_leaves_nothing_in_hydras_store() -> None:
    before = set(compose.ConfigStore.instance().repo)
    load_recipe("digits-int8")
    assert set(compose.ConfigStore.instance().repo) == before
    assert not GlobalHydra.instance().is_initialized()


# The schemas


@pytest.mark.parametrize("name", SCHEMAS)
def test_schema_is_valid_and_its_keys_are_explained(name: str) -> None:
    schema = json.loads((resources.schemas_dir() / name).read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    if name in ("manifest.schema.json", "slurm.schema.json"):
        return
    assert schema["$id"] == name
    for key, entry in schema.get("properties", {}).items():
        assert "$ref" in entry or "description" in entry or "errorMessage" in entry, key
        assert "$ref" in entry or "errorMessage" in entry or "examples" in entry or "properties" in entry, key


@pytest.mark.parametrize("name", SCHEMAS)
def test_examples_and_defaults_satisfy_their_schema(name: str) -> None:
    schema = json.loads((resources.schemas_dir() / name).read_text(encoding="utf-8"))
    for entry in _plain_entries(schema):
        validator = jsonschema.Draft202012Validator(entry)
        for value in [*entry.get("examples", []), *([entry["default"]] if "default" in entry else [])]:
            validator.validate(value)


def _plain_entries(schema: Any) -> Iterator[dict[str, Any]]:
    """All entries with a type or an enum, without references to elsewhere."""
    if isinstance(schema, dict):
        if ("type" in schema or "enum" in schema) and "$ref" not in json.dumps(schema):
            yield schema
        for value in schema.values():
            yield from _plain_entries(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from _plain_entries(value)


def test_enums_equal_the_registries() -> None:
    check = load_schema("accuracy.schema.json")["$defs"]["check"]
    assert set(check["properties"]["metric"]["then"]["enum"]) == set(METRICS)
    of_data = load_schema("dataset.schema.json")
    ids = [rule["then"]["properties"].get("id", {}).get("enum") for rule in of_data["allOf"]]
    assert set(embedded.DATASETS) in [set(one or ()) for one in ids]
    assert set(of_data["properties"]["format"]["enum"]) == set(FORMATS)
    assert set(load_schema("model.schema.json")["properties"]["source"]["enum"]) == set(SOURCES)
    (embedded_id,) = [
        rule["then"]["properties"]["id"]["enum"]
        for rule in load_schema("model.schema.json")["allOf"]
        if "enum" in rule["then"]["properties"].get("id", {})
    ]
    assert set(embedded_id) == set(embedded.MODELS)


@pytest.mark.parametrize("metric", METRICS)
def test_gates_and_settings_are_those_of_the_registry(metric: str) -> None:
    info = METRICS[metric]
    family = FAMILIES[info.family]
    named = {"text": "text", "pairs": "questions", "arrays": "digits", "label": "digits"}
    dataset = "tasks" if "task scores" in family.rows else "rows" if family.function else named[min(info.data)]
    config: dict[str, Any] = {
        "model": {"source": "embedded", "id": "dialogpt-mini"},
        "datasets": {
            "text": {"source": "embedded", "id": "dialogue-eval", "column": "text"},
            "questions": {"source": "embedded", "id": "dialogue-eval", "prompt": "prompt", "reply": "reply"},
            "digits": {"source": "embedded", "id": "digits-evaluation", "inputs": "images", "labels": "labels"},
            "tasks": {"source": "file", "path": "task.yaml"},
            "rows": {
                "source": "file",
                "path": "rows.jsonl",
                "columns": {role: role for role in (*family.targets, "text")},
            },
        },
    }
    taken = set()
    value = 8 if info.most > 8 else 0.5
    gate = {"lower": "max", "higher": "min"}[info.better]
    settings = {name: _example(one) for family in FAMILIES.values() for name, one in family.settings.items()}
    always = {"encoder": settings["encoder"]} if "encoder" in info.params else {}
    for key, given in {**dict.fromkeys(GateKind, value), **settings}.items():
        check = {"metric": metric, "dataset": dataset, gate: value, **always, key: given}
        if not _problems({**config, "accuracy": {"checks": [check]}}):
            taken.add(key)
    assert taken == info.gates | info.params


def _example(schema: Mapping[str, Any]) -> object:
    return schema["examples"][0] if "examples" in schema else schema["default"]


@pytest.mark.parametrize(("metric", "told"), [("kl_divergence", ""), ("kl_divergence_max", "has no interval")])
def test_a_check_decides_by_the_bound_where_there_is_one(metric: str, told: str) -> None:
    check = {"metric": metric, "dataset": "text", "max": 0.5, "decide": "bound"}
    config = {
        "model": {"source": "embedded", "id": "dialogpt-mini"},
        "datasets": {"text": {"source": "embedded", "id": "dialogue-eval", "column": "text"}},
        "accuracy": {"checks": [check]},
    }
    problems = _problems(config)
    assert told in "".join(problems) and bool(problems) == bool(told)


def _problems(config: dict[str, Any]) -> list[str]:
    origins = {(): Origin("here", "here", Path("/"), (0, 0, 0))}
    return [str(one.problem) for one in judge(config, origins, Path("recipe.yaml"))]


@pytest.mark.parametrize("name", ["onnx-ptq", "all-options", "legacy-full"])
def test_no_wrong_value_anywhere_is_a_traceback(name: str) -> None:
    resolved = json.dumps(load_recipe(str(EXAMPLES / f"{name}.yaml")).resolved)
    wrong = [None, -1.5, "1/0", [[]], {"x": None}]
    for path in _paths(json.loads(resolved)):
        for value in wrong:
            config = json.loads(resolved)
            parent = config
            for part in path[:-1]:
                parent = parent[part]
            parent[path[-1]] = value
            assert all(text.startswith("here: ") for text in _problems(config))


def _paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield (*path, key)
        yield from _paths(item, (*path, key))


# The rules that need a model's config.json

GPT2 = {"model_type": "gpt2", "n_embd": 768, "n_positions": 1024, "n_inner": None}
LLAMA = {
    "model_type": "llama",
    "hidden_size": 192,
    "intermediate_size": 512,
    "num_attention_heads": 3,
    "head_dim": 64,
    "max_position_embeddings": 256,
}


def fitting(config: dict[str, Any], *overrides: str, name: str = "dialogpt-mini-int4") -> list[str]:
    return [str(problem) for problem in check_against_config(load_recipe(name, overrides), config)]


def test_recipe_that_fits_its_model() -> None:
    assert fitting(GPT2) == []
    assert fitting(GPT2, "compression.group_size=-1") == []
    assert fitting({"n_embd": 100}, "compression=int8") == []
    assert fitting({}) == []


def test_group_size_that_does_not_divide_the_channels() -> None:
    assert fitting(GPT2, "compression.group_size=512") == [
        "command line: compression.group_size=512: compression.group_size: "
        "512 doesn't divide the model's n_embd = 768; "
        "allowed: 16, 32, 64, 128, 256, -1 (-1: one scale a channel)"
    ]
    (line,) = fitting(LLAMA, "~compression.group_size")
    assert line.endswith(
        "compression.group_size: 128 (NNCF's default) doesn't divide the model's hidden_size = 192 and "
        "num_attention_heads * head_dim = 192; allowed: 16, 32, 64, -1 (-1: one scale a channel)"
    )


def test_awq_on_gpt2() -> None:
    assert fitting(GPT2, "compression.awq=true") == [
        "command line: compression.awq=true: compression.awq: AWQ does nothing on a model of type gpt2; "
        "remove it, or try scale_estimation"
    ]
    assert fitting(LLAMA, "compression.awq=true", "compression.group_size=64") == []


def test_more_tokens_than_positions() -> None:
    config = {**GPT2, "n_positions": 128}
    first, second = fitting(config)
    assert first.endswith(
        "accuracy.checks.0.context_length: 256 tokens are more than the model has positions; "
        "at most the model's n_positions, 128"
    )
    assert "accuracy.checks.1.context_length" in second
    (third,) = fitting(config, "accuracy=null", name="nncf-legacy")
    assert "input_info.sample_size.1: 512 tokens" in third
