"""One run of a model over a dataset serves all metrics of what it gave there."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from runner.plan.builder import make_plan
from runner.plan.types import Plan, Stage
from runner.recipe import load_recipe
from runner.registry.metrics import FAMILIES
from runner.store import Store

DIGITS = {
    "model": {"source": "embedded", "id": "digits-cnn"},
    "datasets": {
        "first": {"source": "embedded", "id": "digits-evaluation", "inputs": "images", "labels": "labels"},
        "second": {"source": "embedded", "id": "digits-evaluation", "inputs": "images", "labels": "labels"},
        "fewer": {"source": "embedded", "id": "digits-evaluation", "inputs": "images", "labels": "labels", "limit": 9},
    },
    "compression": {"algorithm": "weight_compression", "mode": "int8_asym"},
}
TALK = {
    "model": {"source": "embedded", "id": "dialogpt-mini"},
    "datasets": {"talk": {"source": "embedded", "id": "dialogue-eval", "prompt": "prompt", "reply": "reply"}},
}


def planned(folder: Path, recipe: dict[str, object], *checks: dict[str, object]) -> Plan:
    (folder / "one.yaml").write_text(yaml.safe_dump({**recipe, "accuracy": {"checks": list(checks)}}, sort_keys=False))
    return make_plan(load_recipe(str(folder / "one.yaml")), Store(folder / "store"))


def predictions(plan: Plan) -> list[Stage]:
    return [stage for stage in plan.stages if stage.name == "predict"]


def test_a_second_metric_runs_no_model_again(tmp_path: Path) -> None:
    metrics = [one.name for one in FAMILIES.values() if one.rows[:1] == ("class scores",) and one.targets == ("label",)]
    checks: list[dict[str, object]] = [{"metric": name, "dataset": "first", "max_drop": 0.5} for name in metrics]
    one = planned(tmp_path, DIGITS, *checks, {"metric": metrics[0], "dataset": "second", "max_drop": 0.5})
    assert "accuracy" in [check["metric"] for check in checks]
    model, converted = predictions(one)
    assert (model.after["model"], converted.after["model"]) == (one.model, one.converted)
    assert "labels" not in str(model.document["datasets"])
    evaluations = [stage for stage in one.stages if stage.name == "evaluate"]
    assert {stage.after["model"] for stage in evaluations} == {model.key}


@pytest.mark.parametrize(
    ("recipe", "other", "metric"),
    [(DIGITS, {"dataset": "fewer"}, "accuracy"), (TALK, {"dataset": "talk", "max_new_tokens": 3}, "exact_match")],
)
def test_other_rows_and_other_replies_are_other_predictions(
    recipe: dict[str, dict[str, object]], other: dict[str, object], metric: str, tmp_path: Path
) -> None:
    name, gated = next(iter(recipe["datasets"])), {"metric": metric, "max_drop": 0.5}
    both = planned(tmp_path, recipe, {**gated, "dataset": name}, {**gated, **other})
    assert len(predictions(both)) == 2 * (1 + (both.model != both.converted))
