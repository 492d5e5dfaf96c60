"""Which stages a noise floor takes, and what becomes of what they measured."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml

from runner.artifact.card import write_card
from runner.artifact.noise import figure, is_within, looked_up, noise_text, reader, tighter
from runner.errors import RecipeError
from runner.metrics.records import NoiseRecord
from runner.plan.builder import make_plan
from runner.plan.noise import alone, documents_of, ways
from runner.plan.types import Plan
from runner.recipe import load_recipe
from runner.recipe.accuracy import RUNTIME, Check
from runner.report.rows import collect
from runner.store import Store
from tests.reports import check, manifest, sha, stage, write

TALK = {
    "model": {"source": "embedded", "id": "dialogpt-mini"},
    "datasets": {
        "text": {"source": "embedded", "id": "dialogue-eval", "column": "text"},
        "talk": {"source": "embedded", "id": "dialogue-eval", "prompt": "prompt", "reply": "reply"},
    },
    "compression": {"algorithm": "weight_compression", "mode": "int8_asym"},
}
DIVERGENCE = {"metric": "kl_divergence", "dataset": "text", "max": 0.1}
REPLIES = {"metric": "exact_match", "dataset": "talk", "max_drop": 0.1}


def planned(folder: Path, *checks: Mapping[str, object], **more: object) -> Plan:
    recipe = {**TALK, "accuracy": {"checks": [dict(one) for one in checks], **more}}
    (folder / "one.yaml").write_text(yaml.safe_dump(recipe, sort_keys=False))
    return make_plan(load_recipe(str(folder / "one.yaml")), Store(folder / "store"))


def noise(kind: str, floor: float | None) -> NoiseRecord:
    way = {"key": sha("way"), "value": floor, "reference_value": None, "noise": floor}
    return {"kind": kind, "floor": floor, "within": False, "ways": {"threads": way, "defaults": way}}  # type: ignore[dict-item]


def test_each_way_differs_from_the_check_in_what_it_varies_alone(tmp_path: Path) -> None:
    plan = planned(tmp_path, DIVERGENCE, REPLIES)
    documents = documents_of(plan)
    text, talk = (ways(documents, one.key) for one in plan.measurements)
    assert [way.name for way in text] == ["threads", "batch", "defaults"]
    assert [way.name for way in talk] == ["threads", "defaults"]  # replies are written one by one
    own = documents[plan.measurements[0].key]
    for way in text:
        (like,) = way.stages
        assert like.document["inputs"] == {"model": plan.converted, "reference": own["inputs"]["reference"]}  # type: ignore[index]
        same = {name for name in own if like.document[name] == own[name]}
        assert set(own) - same <= {"inputs", "params"}
    runtimes = {way.name: way.stages[0].document["params"]["runtime"] for way in text}  # type: ignore[index]
    assert runtimes == {"threads": {**RUNTIME, "INFERENCE_NUM_THREADS": 1}, "batch": RUNTIME, "defaults": {}}
    for way in talk:
        rows, evaluation = way.stages
        assert evaluation.document["inputs"]["model"] == rows.key  # type: ignore[index]
        assert rows.document["params"]["settings"] == {"max_new_tokens": 64}  # type: ignore[index]


def test_a_stated_count_of_threads_is_not_tried_again(tmp_path: Path) -> None:
    keys = []
    for stated, other in ((1, 2), (2, 1)):
        plan = planned(tmp_path, DIVERGENCE, runtime={"INFERENCE_NUM_THREADS": stated})
        (threads, *_) = ways(documents_of(plan), plan.measurements[0].key)
        assert threads.stages[0].document["params"]["runtime"]["INFERENCE_NUM_THREADS"] == other  # type: ignore[index]
        keys.append(threads.key)
    assert keys[0] != keys[1]


def test_a_recipe_that_leaves_the_precision_to_openvino_has_nothing_to_add(tmp_path: Path) -> None:
    plan = planned(tmp_path, DIVERGENCE, runtime=dict.fromkeys(RUNTIME, "default"))
    assert [way.name for way in ways(documents_of(plan), plan.measurements[0].key)] == ["threads", "batch"]


def test_an_original_is_asked_by_another_batch_alone(tmp_path: Path) -> None:
    plan = planned(tmp_path, DIVERGENCE, reference="original")
    assert [way.name for way in ways(documents_of(plan), plan.measurements[0].key)] == ["batch"]
    with pytest.raises(RecipeError, match="an original is not run by OpenVINO"):
        alone(plan.of_converted)


def test_asked_for_by_the_recipe_they_are_part_of_the_plan(tmp_path: Path) -> None:
    without, with_it = planned(tmp_path, DIVERGENCE, REPLIES), planned(tmp_path, DIVERGENCE, REPLIES, noise=True)
    assert without.noise == () and with_it.stages[: len(without.stages)] == without.stages
    assert set(with_it.targets) == {*without.targets, *with_it.noise} and len(with_it.noise) == 5
    only = alone(without)
    assert {one.name for one in only.stages} == {"convert", "reference", "predict", "evaluate"}
    assert only.targets == with_it.noise
    assert len({one.label for one in with_it.stages}) == len(with_it.stages)


@pytest.mark.parametrize(
    ("metric", "kind", "floor", "value", "reference", "within"),
    [
        ("kl_divergence", "value", 1e-8, 1e-9, None, True),
        ("kl_divergence", "value", 1e-8, 2e-8, None, False),
        ("ln_ppl_ratio", "value", 1e-3, -2e-3, None, False),
        ("sqnr", "value", 100.0, 120.0, None, True),
        ("sqnr", "value", 100.0, 90.0, None, False),
        ("accuracy", "difference", 0.01, 0.895, 0.9, True),
        ("accuracy", "difference", 0.01, 0.88, 0.9, False),
        ("accuracy", "difference", None, 0.9, 0.9, False),
        ("kl_divergence", "value", 1e-8, None, None, False),
    ],
)
def test_within_noise_is_no_further_away_than_the_reference_is_from_itself(
    metric: str, kind: str, floor: float | None, value: float | None, reference: float | None, within: bool
) -> None:
    found = check(metric, value, "max", 1.0, reference_value=reference)
    assert is_within(noise(kind, floor), found) is within  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("gates", "kind", "floor", "told"),
    [
        (Check("kl_divergence", "d", max=1e-9), "value", 1e-8, ["max"]),
        (Check("kl_divergence", "d", max=1e-7), "value", 1e-8, []),
        (Check("sqnr", "d", min=120.0), "value", 100.0, ["min"]),
        (Check("sqnr", "d", min=90.0, max=130.0), "value", 100.0, []),
        (Check("accuracy", "d", min=0.9, max_drop=0.001), "difference", 0.01, ["max_drop"]),
        (Check("perplexity", "d", max_relative_increase=0.001), "difference", 0.01, ["max_relative_increase"]),
        (Check("perplexity", "d", max_relative_increase=0.01), "difference", 0.01, []),
        (Check("accuracy", "d", max_drop=0.001), "difference", None, []),
    ],
)
def test_a_gate_that_asks_for_less_than_the_floor_is_named(
    gates: Check, kind: str, floor: float | None, told: list[str]
) -> None:
    found = noise(kind, floor)
    ways = {
        name: {**way, "reference_value": 2.0 if kind == "difference" else None} for name, way in found["ways"].items()
    }
    assert tighter(gates, {**found, "ways": ways}) == told  # type: ignore[typeddict-item]


def test_the_words_of_a_floor() -> None:
    assert noise_text(None) == ""
    assert noise_text(noise("value", 1.135e-8)) == "1.135e-08"
    assert noise_text({**noise("difference", 0.0025), "within": True}) == "± 0.0025, within noise"
    assert figure(noise("difference", None), None) == "-"


def test_a_card_has_a_column_for_it_only_where_one_is_known(tmp_path: Path) -> None:
    libraries = dict.fromkeys(("openvino", "nncf", "optimum-intel", "transformers"), "1.0")
    without = manifest("loud", libraries=libraries)
    write_card(tmp_path / "loud.md", without)  # type: ignore[arg-type]
    assert "noise" not in (tmp_path / "loud.md").read_text(encoding="utf-8")
    without["checks"][0]["noise"] = {**noise("value", 1e-8), "within": True}
    write_card(tmp_path / "quiet.md", without)  # type: ignore[arg-type]
    lines = (tmp_path / "quiet.md").read_text(encoding="utf-8").splitlines()
    at = lines.index("| metric | dataset | value | reference | gate | met | noise floor |")
    assert lines[at + 1].count("|") == 8 and lines[at + 2].endswith("| yes | 1e-08, within noise |")
    assert "the reference differs by:\nkl_divergence 1e-08." in "\n".join(lines)


def test_a_manifest_of_a_stranger_breaks_no_report(tmp_path: Path) -> None:
    """What is no key document of ours has no floor."""
    strange: list[dict[str, object]] = [
        {"inputs": "x"},
        {"inputs": {"reference": sha("b"), "model": 3}, "params": []},
        {"inputs": {"reference": sha("a evaluate")}},
    ]
    for name, document in zip("abc", strange, strict=True):
        own = stage(f"{name} evaluate", 1.0, 1)
        other = {**stage("b", 1.0, 1), "document": {"stage": "predict", "inputs": None, "params": {"family": ""}}}
        found = check("kl_divergence", 0.1, "max", 1.0, key=own["key"])
        write(tmp_path, manifest(name, stages=[{**own, "document": document}, other], checks=[found]))
    rows = collect(tmp_path)
    assert len(rows.rows) == 3 and not rows.notes
    assert not any(one.get("noise") for row in rows.rows for one in row.checks)
    whole = json.loads((tmp_path / "a" / "1" / "manifest.json").read_text())
    assert looked_up(whole, reader(Store(tmp_path / "nothing"))) == [{**whole["checks"][0], "noise": None}]
