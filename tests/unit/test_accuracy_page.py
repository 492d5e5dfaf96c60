"""docs/accuracy.md: its recipes validate, its figures are those of the intervals, and it names every metric."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from runner import data
from runner.data.task_rules import DIRECTIONS
from runner.metrics.intervals import paired_proportions, proportion
from runner.plan.task_rules import not_measured
from runner.recipe import load_recipe
from runner.recipe.types import Quantization
from runner.registry.metrics import FAMILIES, METRICS
from runner.registry.tasks import PAST, TASKS, family_of
from runner.report import metrics_page
from tests.accuracy_page import RECIPES, TEXT

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("task", RECIPES)
def test_a_recipe_of_the_page_validates(task: str, tmp_path: Path) -> None:
    model = f"{{source: local, path: model, task: {task}}}" if task != "arrays" else "{source: onnx, path: model.onnx}"
    if "audio:" in RECIPES[task]:
        pytest.importorskip("soundfile")
    (tmp_path / "page.yaml").write_text(f"model: {model}\n{RECIPES[task]}", encoding="utf-8")
    recipe = load_recipe(str(tmp_path / "page.yaml"))
    assert recipe.accuracy.checks
    named = family_of(task).metrics
    assert not named or recipe.accuracy.checks[0].metric == named[0]


def test_the_task_file_of_the_page_is_read_and_has_what_is_checked(tmp_path: Path) -> None:
    section = TEXT[TEXT.index("## Tasks of lm-evaluation-harness") : TEXT.index("## A recipe for each task")]
    recipe, quiz = re.findall(r"```yaml\n(.*?)```", section, re.DOTALL)
    (row,) = re.findall(r"whose rows are `(.*)`:", section)
    (tmp_path / "page.yaml").write_text(f"model: {{source: local, path: model, task: text-generation}}\n{recipe}")
    (tmp_path / "quiz.yaml").write_text(quiz)
    for name in ("quiz", "shots"):
        (tmp_path / f"{name}.jsonl").write_text(f"{row}\n")
    loaded = load_recipe(str(tmp_path / "page.yaml"))
    data.check(loaded.datasets["quiz"])
    assert not list(not_measured(loaded))
    told = {
        kind: set(re.findall(r"`lm_eval_(\w+)`", line))
        for kind, line in re.findall(r"^\| `(\w+)` \| (`.*)", section, re.M)
    }
    own = {name.removeprefix("lm_eval_") for name in METRICS if name.startswith("lm_eval_")}
    assert told == {kind: own & set(known) for kind, known in DIRECTIONS.items()}


def test_the_recipe_of_accuracy_control_validates(tmp_path: Path) -> None:
    (found,) = re.findall(r"finds such layers[^\n]*\n\n```yaml\n(.*?)```", TEXT, re.DOTALL)
    (tmp_path / "page.yaml").write_text(found, encoding="utf-8")
    (step,) = load_recipe(str(tmp_path / "page.yaml")).compression
    assert isinstance(step, Quantization) and step.accuracy_control and step.accuracy_control.minutes == 30


def test_every_task_with_rows_has_a_recipe() -> None:
    named = {family_of(task).name.removesuffix(PAST) for task in RECIPES}
    assert named >= {one.name.removesuffix(PAST) for one in TASKS.values() if one.metrics and one.predicts}


def test_the_page_of_metrics_is_current() -> None:
    current = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8") == metrics_page.page()
    assert current, "docs/metrics.md is out of date: make reference"


def test_the_metrics_that_the_page_names_are_there() -> None:
    table = TEXT[TEXT.index("| Task |") : TEXT.index("`ovrun explain")]
    roles = {
        "text",
        "text_pair",
        "prompt",
        "reply",
        "question",
        "context",
        "answers",
        "tokens",
        "tags",
        "image",
        "audio",
    }
    roles |= {"label", "mask", "depth", "boxes", "target", "query", "document", "score", "choices"}
    named = set(re.findall(r"`(\w+)`", table)) - roles
    assert named <= set(METRICS)
    assert {name for task in TASKS.values() for name in task.metrics} <= named


def test_the_usual_metrics_of_a_task_are_there_and_are_for_it() -> None:
    for task in TASKS.values():
        for name in task.metrics:
            family = FAMILIES[METRICS[name].family]
            assert not family.tasks or task.name in family.tasks


def width(interval: list[float] | None) -> float:
    assert interval
    return (interval[1] - interval[0]) / 2


@pytest.mark.parametrize("rows", [100, 200, 1000, 10000])
def test_the_half_widths_are_those_of_the_intervals(rows: int) -> None:
    (line,) = re.findall(rf"^\| {rows:,} \|(.*)$", TEXT, re.MULTILINE)
    told = [float(one) for one in re.findall(r"± ([\d.]+)", line)]
    found = [width(proportion(round(0.9 * rows), rows).interval)]
    for share in (0.01, 0.02, 0.05, 0.1):
        flips = round(share * rows)
        lost = (flips + 1) // 2
        model, reference = np.ones(rows), np.ones(rows)
        model[:lost], reference[lost:flips] = 0, 0
        found.append(width(paired_proportions(model, reference).interval))
    np.testing.assert_allclose(told, found, atol=0.00051)
