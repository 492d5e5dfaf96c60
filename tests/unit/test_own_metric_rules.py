"""A metric of a recipe's own file: what is wrong with it is told from its text, and nothing of it runs unasked."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from runner import api
from runner.cli import main
from runner.errors import OvrunError
from runner.recipe import load_recipe
from runner.registry.gates import Better
from runner.registry.own import family_of, metric_of

PAGE = (Path(__file__).parents[2] / "docs" / "accuracy.md").read_text(encoding="utf-8")
SECTION = PAGE[PAGE.index("## A metric of your own") : PAGE.index("## The noise floor")]
FILE, RECIPE = (re.findall(rf"```{kind}\n(.*?)```", SECTION, re.DOTALL)[0] for kind in ("python", "yaml"))
METRIC = "{path: my_metric.py, function: cost, better: lower, params: {missed: 10}}"
SWEEP = "sweep: {compression.mode: [int8_asym, int8_sym]}\n"
CONTROL = """
compression:
  algorithm: quantization
  dataset: digits_calibration
  accuracy_control: {metric: METRIC, dataset: digits_evaluation}
"""


def write(folder: Path, metric: str = METRIC, file: str = FILE, more: str = "") -> Path:
    """The recipe of the page, beside the file."""
    (folder / "my_metric.py").write_text(file)
    (folder / "mine.yaml").write_text(RECIPE.replace(METRIC, metric) + more)
    return folder / "mine.yaml"


def refused(run: Callable[[], object]) -> str:
    with pytest.raises(OvrunError) as told:
        run()
    return str(told.value)


def test_a_check_carries_its_declaration(tmp_path: Path) -> None:
    recipe = load_recipe(str(write(tmp_path)))
    (check,) = recipe.accuracy.checks
    metric = metric_of(check)
    assert (check.metric, metric.name, metric.better) == ("cost", "cost", Better.LOWER)
    assert (
        check.own and check.own.file == tmp_path / "my_metric.py" and json.loads(check.own.arguments) == {"missed": 10}
    )
    assert family_of(check).metrics == (metric,) and check.params == {}


@pytest.mark.parametrize(
    ("command", "where"),
    [
        *((command, where) for command in ("plan", "optimize", "noise") for where in ("check", "control", "preset")),
        *(("plan", "sweep"), ("sweep", "sweep"), ("sweep", "check")),
    ],
)
def test_nothing_runs_without_the_persons_word(
    command: str, where: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ran = tmp_path / "ran"
    path = write(tmp_path, file=f"import pathlib\npathlib.Path({str(ran)!r}).write_text('ran')\n{FILE}")
    if where == "control":
        path.write_text("defaults: [{model: digits-cnn}, {data: digits}, _self_]\n" + CONTROL.replace("METRIC", METRIC))
    elif where == "preset":
        (tmp_path / "accuracy").mkdir()
        body = RECIPE[RECIPE.index("  checks") :].replace("my_metric.py", "../my_metric.py")
        (tmp_path / "accuracy" / "mine.yaml").write_text(f"# @package accuracy\n{body}".replace("\n  ", "\n"))
        start = RECIPE[: RECIPE.index("accuracy:")].replace("_self_", "{accuracy: mine}, _self_")
        path.write_text(start)
    elif where == "sweep":
        path.write_text(path.read_text() + SWEEP)
    outputs = ("--outputs", str(tmp_path / "outputs"))
    assert main(["validate", str(path)]) == 0
    capsys.readouterr()
    assert main([command, str(path), "--allow-remote-code", *outputs]) == 2
    told = capsys.readouterr().err
    assert "this recipe runs the Python code of my_metric.py as a metric" in told
    assert "--allow-code on the command line" in told and re.search(r"\.yaml:\d+:\d+: ", told)
    assert main(["plan", str(path), "--allow-code", *outputs]) == 0
    assert not ran.exists()


def test_nothing_runs_from_python_either(tmp_path: Path) -> None:
    path = write(tmp_path)
    for run in (api.optimize, api.sweep):
        assert "allow_code=True" in refused(lambda run=run: run(path, outputs=tmp_path, allow_remote_code=True))


@pytest.mark.parametrize(
    ("metric", "key", "told"),
    [
        ("{path: gone.py, function: cost, better: lower}", "path", "there is no file"),
        ("{path: my_metric.py, function: costs, better: lower}", "function", "my_metric.py defines no costs"),
        (METRIC.replace("missed", "mised"), "params.mised", "cost takes no argument mised; it takes missed"),
        ("{path: my_metric.py, function: one, better: lower}", "function", "one takes 1 argument"),
        ("{path: my_metric.py, function: three, better: lower}", "function", "three needs scale"),
    ],
)
def test_the_plan_tells_what_the_file_lacks(metric: str, key: str, told: str, tmp_path: Path) -> None:
    more = "\ndef one(rows): ...\n\n\ndef three(given, rows, scale): ...\n"
    path = write(tmp_path, metric, FILE + more)
    found = refused(lambda: api.plan(path, outputs=tmp_path / "outputs"))
    assert f"accuracy.checks.0.metric.{key}: " in found and told in found
    assert re.match(r".*mine\.yaml:5:\d+: ", found)


@pytest.mark.parametrize(
    ("metric", "told"),
    [
        ("{path: my_metric.txt, function: cost, better: lower}", "metric.path: "),
        ("{path: my_metric.py, better: lower}", "metric.function: missing"),
        ("{path: my_metric.py, function: cost}", "metric.better: missing"),
        ("{path: my_metric.py, function: cost, better: less}", 'metric.better: "less" is not known'),
        ("{path: my_metric.py, function: os.system, better: lower}", "metric.function: "),
        ("{path: my_metric.py, function: cost, better: lower, unknown: 1}", "metric.unknown: unknown key"),
        ("{path: my_metric.py, function: accuracy, better: higher}", "accuracy is the name of another measure"),
        ("{path: my_metric.py, function: size, better: lower}", "size is the name of another measure"),
        ("{path: my_metric.py, function: cost, better: lower, needs: [reply]}", "has no column for `reply`"),
        ("{path: my_metric.py, function: cost, better: higher}", "higher cost is better: this passes every model"),
        ("[accuracy]", "is not a text or a mapping"),
        ("acuracy", "did you mean accuracy?"),
    ],
)
def test_mistakes_are_told_with_their_place(metric: str, told: str, tmp_path: Path) -> None:
    found = refused(lambda: load_recipe(str(write(tmp_path, metric))))
    assert told in found and re.match(r".*mine\.yaml:\d+:\d+: accuracy\.checks\.0", found)


def test_two_metrics_of_one_name_are_told_apart(tmp_path: Path) -> None:
    line = f"    - {{metric: {METRIC}, dataset: digits_calibration, max: 1}}\n"
    assert len(load_recipe(str(write(tmp_path, more=line))).accuracy.checks) == 2
    other = line.replace("missed: 10", "missed: 20")
    assert "two metrics are called cost; state another as `name`" in refused(
        lambda: load_recipe(str(write(tmp_path, more=other)))
    )
    named = other.replace("better:", "name: dearer, better:")
    checks = load_recipe(str(write(tmp_path, more=named))).accuracy.checks
    assert [check.metric for check in checks] == ["cost", "dearer"]


def test_accuracy_control_takes_rows(tmp_path: Path) -> None:
    path, model = tmp_path / "mine.yaml", METRIC.replace("better", "takes: model, better")
    head = "defaults: [{model: digits-cnn}, {data: digits}, _self_]\n"
    path.write_text(head + CONTROL.replace("METRIC", model))
    assert "accuracy control looks at rows, and cost takes the whole model" in refused(lambda: load_recipe(str(path)))
    path.write_text(head + CONTROL.replace("METRIC", METRIC))
    step = load_recipe(str(path)).compression[0]
    control = getattr(step, "accuracy_control", None)
    assert control and control.metric == "cost" and control.own.file == tmp_path / "my_metric.py"


def test_what_no_key_tells_of_is_refused_by_the_plan(tmp_path: Path) -> None:
    (tmp_path / "helper.py").write_text("")
    path = write(tmp_path, file=f"import helper\n{FILE}")
    assert "my_metric.py:1: imports helper" in refused(lambda: api.plan(path, outputs=tmp_path / "outputs"))
    path = write(tmp_path, file="def cost(:\n")
    assert "my_metric.py:1: " in refused(lambda: api.plan(path, outputs=tmp_path / "outputs"))


def test_a_model_of_texts_is_measured_without_a_task_file(tmp_path: Path) -> None:
    (tmp_path / "my_metric.py").write_text("def alike(predictions, rows):\n    return 1.0\n")
    metric = "{metric: {path: my_metric.py, function: alike, better: higher}, dataset: dialogue_questions, min: 0.5}"
    said = f"defaults: [{{model: dialogpt-mini}}, {{data: dialogue}}, _self_]\naccuracy: {{checks: [{metric}]}}\n"
    (tmp_path / "mine.yaml").write_text(said)
    (check,) = load_recipe(str(tmp_path / "mine.yaml")).accuracy.checks
    assert check.metric == "alike" and check.own
