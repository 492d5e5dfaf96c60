"""Task files of lm-evaluation-harness: the same scores as by its own model `hf`, and nothing of a file is ever run."""

from __future__ import annotations

import contextlib
import copy
import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from runner import data, embedded
from runner.data import task_file
from runner.errors import RecipeError, SourceError
from runner.metrics.figures import measure
from runner.metrics.kept import Kept
from runner.recipe import load_recipe
from runner.recipe.dataset import Dataset
from runner.registry.formats import TASK_FILE
from runner.registry.metrics import FAMILIES
from tests.conftest import Ovrun
from tests.outputs import manifest_of
from tests.predictions import kept

ROOT = Path(__file__).parents[2]
SUMS = [(3, 28), (11, 8), (5, 7), (9, 9), (2, 40), (6, 13), (30, 4), (1, 1)]
COMMON = "dataset_path: json\ntest_split: test\n"
TASKS = {
    "choice": """
task: choice
include: common.yaml
output_type: multiple_choice
dataset_kwargs: {data_files: {test: sums.jsonl, shots: [shots.jsonl]}}
fewshot_split: shots
num_fewshot: 2
description: "Sums. "
doc_to_text: "What is {{a}} plus {{ b | string | regex_replace('^0+', '') }}? "
doc_to_choice: choices
doc_to_target: right
metric_list: [{metric: acc}, {metric: acc_norm}, {metric: acc_bytes}, {metric: acc_mutual_info}, {metric: f1}]
""",
    "likely": """
task: likely
include: common.yaml
output_type: loglikelihood
dataset_kwargs: {data_files: {test: sums.jsonl}}
doc_to_text: "What is {{a}} plus {{b}}?"
doc_to_target: " {{choices[right]}}"
""",
    "rolling": """
task: rolling
include: common.yaml
output_type: loglikelihood_rolling
dataset_kwargs: {data_files: {test: texts.jsonl}}
doc_to_text: ""
doc_to_target: "{{text}}"
""",
    "written": """
task: written
include: common.yaml
output_type: generate_until
dataset_kwargs: {data_files: {test: sums.jsonl}}
doc_to_text: "What is {{a}} plus {{b}}?<|endoftext|>"
doc_to_target: "{{a + b}}"
generation_kwargs: {until: ["."], max_gen_toks: 12, do_sample: false}
filter_list:
  - name: number
    filter: [{function: regex, regex_pattern: "is ([0-9]+)$"}, {function: take_first}]
  - name: whole
    filter: [{function: take_first}]
metric_list: [{metric: exact_match, ignore_case: true}]
""",
}


def write(folder: Path) -> None:
    """The tasks with their data."""
    rows = []
    for at, (a, b) in enumerate(SUMS):
        wrong, right = f"It is {a + b + 1}.", f"{a} plus {b} is {a + b}."
        rows.append({"a": a, "b": b, "choices": [wrong, right] if at % 3 else [right, wrong], "right": int(at % 3 > 0)})
    texts = [{"text": "What is the sum of all that? It is large. " * repeat} for repeat in (1, 90)]
    for name, found in {
        "sums": rows,
        "shots": rows[:4],
        "texts": [*texts, {"text": "Über  alles\n\nund mehr"}],
    }.items():
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in found))
    (folder / "common.yaml").write_text(COMMON)
    for name, text in TASKS.items():
        (folder / f"{name}.yaml").write_text(text)


def dataset(path: Path, limit: int | None = None) -> Dataset:
    return Dataset("mine", "file", path, "yaml", columns={TASK_FILE: ""}, limit=limit)


@pytest.fixture
def model(converted: Callable[[str], Path]) -> Path:
    """The conversion of dialogpt-mini, whose weights are as they were."""
    (folder,) = (converted("dialogpt-mini-int8") / ".store" / "entries").glob("*/*/files")
    return folder


FIGURES: dict[str, dict[str, float]] = {
    "choice": {"acc": 0.5, "acc_norm": 1.0, "acc_bytes": 1.0, "acc_mutual_info": 0.5, "f1": 0.5},
    "likely": {"perplexity": 636290453715.5, "acc": 0.0},
    "rolling": {"word_perplexity": 709860.0005, "byte_perplexity": 24.791117129703, "bits_per_byte": 4.631751378057},
    "written": {"exact_match,number": 0.875, "exact_match,whole": 0.0},
}
"""What the library says of the PyTorch model by its own model `hf`, in 32 bits."""


def scores(name: str, model: Path, folder: Path) -> Kept:
    return kept(model, "text-generation-with-past", "task scores", dataset(folder / f"{name}.yaml"), folder / name)


@pytest.mark.parametrize("name", TASKS)
def test_figures_are_those_of_the_library(name: str, model: Path, tmp_path: Path) -> None:
    write(tmp_path)
    found = scores(name, model, tmp_path)
    for key, value in FIGURES[name].items():
        metric, _, filter = key.partition(",")
        result = measure(FAMILIES[f"lm_eval_{metric}"], found, found, {}, {"filter": filter} if filter else {}).result
        assert result["values"] == {f"lm_eval_{metric}": pytest.approx(value, rel=1e-5)}


@pytest.mark.newest
def test_scores_of_each_row_are_those_of_the_library(model: Path, tmp_path: Path) -> None:
    write(tmp_path)
    words = [sys.executable, "-m", "tests.harness_by_hf", embedded.MODELS["dialogpt-mini"].path]
    tasks = [tmp_path / f"{name}.yaml" for name in TASKS]
    done = subprocess.run([*words, *tasks], cwd=ROOT, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr[-3000:]
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    for name, figures in FIGURES.items():
        expected = {key if "," in key else f"{key},none": value for key, value in figures.items()}
        results = {key: value for key, value in told[name]["results"].items() if "," in key and "stderr" not in key}
        assert results == pytest.approx(expected, rel=1e-9)
        found = scores(name, model, tmp_path)
        assert isinstance(found.values, list)
        for filter in found.values[0]:
            own = [row[filter] for row in found.values]
            theirs = [one for one in told[name]["samples"] if one["filter"] == filter]
            for one, other in zip(own, theirs, strict=True):
                assert one.keys() == other.keys() - {"filter"}
                for metric, value in one.items():
                    np.testing.assert_allclose(value, other[metric], rtol=1e-5)


WRONG = {
    "tag": ("doc_to_text: !function utils.text", r":4:\d+: the tag !function; a task file is plain data"),
    "python": ("doc_to_text: !!python/name:os.system", r":4:\d+: the tag !!python/name:os.system"),
    "code": ("process_docs: utils.run", r":4:\d+: process_docs: is code; a task file is plain data"),
    "own reader": ("custom_dataset: x", r":4:\d+: custom_dataset: is code"),
    "prompts": ("use_prompt: promptsource:x", r":4:\d+: use_prompt: takes prompts from elsewhere"),
    "group": ("group: all", r":4:\d+: group: names other tasks"),
    "typo": (
        "doc_to_txt: x",
        r':4:\d+: doc_to_txt: no key of a task file "doc_to_txt".* \(did you mean doc_to_text\?\)',
    ),
    "pickle": (
        "dataset_path: pandas",
        r":4:\d+: dataset_path: 'pandas' is a dataset of a hub or a reader that may run code",
    ),
    "hub": ("dataset_path: allenai/ai2_arc", r":4:\d+: dataset_path: 'allenai/ai2_arc' is a dataset of a hub"),
    "hub part": ("dataset_name: main", r":4:\d+: dataset_name: names a part of a dataset of the hub"),
    "url": (
        "dataset_kwargs: {data_files: 'https://x.y/z.json'}",
        r":4:\d+: dataset_kwargs.data_files: names what is no",
    ),
    "chain": (
        "dataset_kwargs: {data_files: 'zip://a::b.json'}",
        r":4:\d+: dataset_kwargs.data_files: names what is no",
    ),
    "outside": (
        "dataset_kwargs: {data_files: ../x.json}",
        r":4:\d+: .*files in the task's folder or below that end in .json",
    ),
    "root": (
        "dataset_kwargs: {data_files: /etc/passwd}",
        r":4:\d+: dataset_kwargs.data_files: names what is no such file",
    ),
    "link": (
        "dataset_kwargs: {data_files: {test: link.json}}",
        r":4:\d+: dataset_kwargs.data_files.test: names what is no",
    ),
    "pickled": (
        "dataset_kwargs: {data_files: {test: x.pkl}}",
        r":4:\d+: dataset_kwargs.data_files.test: names what is no",
    ),
    "remote code": (
        "dataset_kwargs: {data_files: x.json, trust_remote_code: true}",
        r":4:\d+: .*no setting of data files",
    ),
    "include": ("include: ../other.yaml", r":4:\d+: include: is no path below the task's folder"),
    "itself": ("include: wrong.yaml", r":4:\d+: include: includes a file that includes it"),
    "fetched metric": (
        "metric_list: [{metric: acc, hf_evaluate: true}]",
        r":4:\d+: .*hf_evaluate: fetches the metric's code",
    ),
    "unknown metric": (
        "metric_list: [{metric: rouge}]",
        r':4:\d+: metric_list.0.metric: no metric of this output type "rouge"',
    ),
    "other way": (
        "metric_list: [{metric: acc, higher_is_better: false}]",
        r":4:\d+: .*acc has true; leave it out, or true",
    ),
    "filter": ("filter_list: [{name: x, filter: [{function: custom}]}]", r':4:\d+: .*no filter "custom"'),
    "jinja": ("doc_to_text: '{{ x'", r":4:\d+: doc_to_text: is no Jinja: "),
    "escape": (
        "doc_to_text: \"{{ ''.__class__ }}\"",
        r":4:\d+: doc_to_text: asks for __class__, which is not of the row",
    ),
    "item": ("description: \"{{ x['__init__'] }}\"", r":4:\d+: description: asks for __init__"),
    "large": ("description: \"{{ 'a' * 99999999999 }}{{ x.__y }}\"", r":4:\d+: description: asks for __y"),
    "sampling": (
        "generation_kwargs: {temperature: 0.7}",
        r":4:\d+: generation_kwargs.temperature: draws replies at random",
    ),
    "split": ("fewshot_split: dev", r":4:\d+: fewshot_split: no file is of the split dev; there are: test"),
    "alias": ("doc_to_text: &a [*a]", r":4:\d+: the alias \*a lies inside its own anchor"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_could_run_or_fetch_something_is_refused_at_its_place(case: str, tmp_path: Path) -> None:
    line, told = WRONG[case]
    folder = tmp_path / "tasks"
    folder.mkdir()
    (tmp_path / "other.yaml").write_text(COMMON)
    (tmp_path / "x.json").write_text('{"a": 1}')
    (folder / "link.json").symlink_to(tmp_path / "x.json")
    (folder / "x.json").write_text('{"a": 1}')
    plain = {
        "dataset_path": "json",
        "dataset_kwargs": "{data_files: {test: x.json}}",
        "output_type": "multiple_choice",
    }
    rest = "".join(f"{key}: {value}\n" for key, value in plain.items() if not line.startswith(f"{key}:"))
    (folder / "wrong.yaml").write_text(f"task: wrong\ntest_split: test\ndoc_to_choice: [a, b]\n{line}\n{rest}")
    with pytest.raises(RecipeError, match=told):
        task_file.read(dataset(folder / "wrong.yaml"))


@pytest.mark.parametrize("name", TASKS)
def test_no_wrong_value_anywhere_is_a_traceback(name: str, tmp_path: Path) -> None:
    write(tmp_path)
    whole = {**yaml.safe_load(COMMON), **yaml.safe_load(TASKS[name])}
    path = tmp_path / "wrong.yaml"
    for at in list(paths(whole)):
        for value in (None, [], {}, [[]], [{}], {"x": []}, 5, -1.5, True, "x", "{{" * 900, "{{ 1" + "0" * 5000 + " }}"):
            wrong = copy.deepcopy(whole)
            inside(wrong, at[:-1])[at[-1]] = value
            path.write_text(json.dumps(wrong))
            with contextlib.suppress(RecipeError, SourceError):
                found = task_file.read(dataset(path))
                assert found.measures and len(data.digest(dataset(path))) == 64


def paths(value: object, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Of all values inside another."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, one in items:
        yield (*at, key)
        yield from paths(one, (*at, key))


def inside(value: Any, at: tuple[Any, ...]) -> Any:
    return inside(value[at[0]], at[1:]) if at else value


def test_a_file_that_is_lacking_is_told(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text(f"{COMMON}task: x\ndataset_kwargs: {{data_files: {{test: none.json}}}}\n")
    with pytest.raises(SourceError, match=r"none\.json: no such file"):
        task_file.read(dataset(tmp_path / "x.yaml"))


def test_a_template_reaches_no_code(model: Path, tmp_path: Path) -> None:
    """What is put together while it runs is met by the sandbox."""
    write(tmp_path)
    way = "''|attr('__cl' ~ 'ass__')|attr('__mro__')|last|attr('__subclasses__')"
    for name in ("likely", "written"):
        path = tmp_path / f"{name}.yaml"
        path.write_text(path.read_text().replace("What is", f"{{{{ ({way})() }}}}"))
        with pytest.raises(SourceError, match=rf"{name}\.yaml.*(SecurityError|UndefinedError)"):
            kept(model, "text-generation-with-past", "task scores", dataset(path), tmp_path / name)


def test_the_digest_is_of_the_task_and_its_rows(tmp_path: Path) -> None:
    write(tmp_path)
    path = tmp_path / "choice.yaml"
    first = data.digest(dataset(path))
    assert {one.name for one in data.files(dataset(path))} == {
        "choice.yaml",
        "common.yaml",
        "sums.jsonl",
        "shots.jsonl",
    }
    others = {first, data.digest(dataset(path, limit=3))}
    for name in ("choice.yaml", "common.yaml", "sums.jsonl", "shots.jsonl"):
        before = (tmp_path / name).read_text()
        (tmp_path / name).write_text(before + (f"metadata: {{of: {name}}}\n" if name.endswith("yaml") else before))
        others.add(data.digest(dataset(path)))
        (tmp_path / name).write_text(before)
    assert len(others) == 6
    moved = Path(shutil.copytree(tmp_path, tmp_path / "moved" / "there"))
    assert data.digest(dataset(moved / "choice.yaml")) == first


RECIPE = """
model: {source: embedded, id: dialogpt-mini}
conversion: {tokenizer: true}
compression: {algorithm: weight_compression, mode: int8_asym}
datasets:
  quiz: {source: file, path: tasks/choice.yaml, limit: 6}
  sums: {source: file, path: tasks/written.yaml}
accuracy:
  checks:
    - {metric: lm_eval_acc_norm, dataset: quiz, max_drop: 0.9, decide: bound}
    - {metric: lm_eval_exact_match, dataset: sums, filter: number, max_drop: 0.9}
"""


def test_a_recipe_checks_a_task(ovrun: Ovrun, shared: Path, tmp_path: Path) -> None:
    (tmp_path / "tasks").mkdir()
    write(tmp_path / "tasks")
    (tmp_path / "harness.yaml").write_text(RECIPE)
    document = json.loads(ovrun("optimize", "harness.yaml", "--outputs", shared, "--json").stdout)
    quiz, sums = manifest_of(Path(document["path"]))["checks"]
    assert quiz["value"] == quiz["reference_value"] == 1 and quiz["protocol"]["num_fewshot"] == 2
    assert sums["reference_value"] == 0.875 and sums["flipped"]
    (tmp_path / "harness.yaml").write_text(RECIPE.replace("lm_eval_acc_norm", "lm_eval_exact_match"))
    told = ovrun("plan", "harness.yaml", "--outputs", shared, code=2).stderr
    assert "harness.yaml:10:16: accuracy.checks.0.metric: tasks/choice.yaml: no metric of the task" in told
    (tmp_path / "tasks" / "ran.py").write_text("open('ran', 'w')\ndef text(row): return ''\n")
    (tmp_path / "tasks" / "code.yaml").write_text(TASKS["likely"] + "process_docs: !function ran.text\n")
    (tmp_path / "code.yaml").write_text(RECIPE.replace("choice", "code"))
    told = ovrun("optimize", "code.yaml", "--allow-code", "--outputs", shared, code=2).stderr
    assert "tasks/code.yaml:8:15: the tag !function; a task file is plain data" in told and not list(
        tmp_path.rglob("ran")
    )
    (tmp_path / "harness.yaml").write_text(RECIPE.replace("filter: number", "filter: nubmer"))
    assert "(did you mean number?)" in ovrun("plan", "harness.yaml", "--outputs", shared, code=2).stderr


def test_a_metric_of_tasks_needs_a_task_file(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text(RECIPE.replace("tasks/choice.yaml", "rows.jsonl, column: text"))
    with pytest.raises(
        RecipeError, match=r'x.yaml:10:\d+: .*"quiz" is no task file, and lm_eval_acc_norm is measured by'
    ):
        load_recipe(str(tmp_path / "x.yaml"))


def test_without_the_package_the_line_that_installs_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "harness.yaml").write_text(RECIPE)
    monkeypatch.setitem(sys.modules, "lm_eval", None)
    with pytest.raises(RecipeError, match=r"package lm_eval, which is not installed; pip install 'ovrun\[lm-eval\]'"):
        load_recipe(str(tmp_path / "harness.yaml"))
