"""The Python API: its names and signatures are a promise."""

from __future__ import annotations

import ast
import inspect
from pathlib import Path

import pytest

from runner import api, errors
from tests.reports import manifest, write

PROMISED = {
    "load": "(name, overrides=(), *, recipes_dir=None)",
    "optimize": "(recipe, overrides=(), *, outputs='outputs', recipes_dir=None, "
    "allow_remote_code=False, allow_code=False, accept_undecided=False, observer=None)",
    "noise": "(recipe, overrides=(), *, outputs='outputs', recipes_dir=None, "
    "allow_remote_code=False, allow_code=False, observer=None)",
    "plan": "(recipe, overrides=(), *, outputs='outputs', recipes_dir=None)",
    "report": "(names=(), *, outputs='outputs', sort=None, reverse=False)",
    "sweep": "(name, overrides=(), *, outputs='outputs', recipes_dir=None, jobs=1, fail_fast=False, "
    "allow_remote_code=False, allow_code=False, accept_undecided=False, observer=None, execute=None)",
    "versions": "(name=None, *, outputs='outputs')",
}
ERRORS = {"AccuracyError", "OvrunError", "Problem", "RecipeError", "SourceError", "StageError", "UsageError"}


def plain(function: object) -> str:
    """A signature without annotations."""
    signature = inspect.signature(function)  # type: ignore[arg-type]
    parameters = [one.replace(annotation=inspect.Parameter.empty) for one in signature.parameters.values()]
    return str(inspect.Signature(parameters))


def test_the_public_names_are_these() -> None:
    assert set(api.__all__) == {*PROMISED, *ERRORS, "PlannedStage", "Version"}
    own = {name for name, value in vars(api).items() if getattr(value, "__module__", "") == "runner.api"}
    assert {name for name in own if not name.startswith("_")} <= set(api.__all__)
    assert all(getattr(api, name) is getattr(errors, name) for name in ERRORS)
    members = {name for name, _ in inspect.getmembers(api.Version) if not name.startswith("_")}
    assert members == {"checks", "load", "manifest", "name", "number"}


@pytest.mark.parametrize("name", PROMISED)
def test_a_signature_is_kept(name: str) -> None:
    assert plain(getattr(api, name)) == PROMISED[name]


def test_the_command_line_is_written_on_it() -> None:
    beneath = {"load_recipe", "optimize", "run_sweep", "lifecycle", "make_plan", "Silent"}
    for path in (Path(api.__file__).parent / "commands").glob("*.py"):
        imports = [node for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.ImportFrom)]
        assert not beneath & {alias.name for node in imports for alias in node.names}, path.name


def test_a_wrong_recipe_tells_all_its_problems(tmp_path: Path) -> None:
    (tmp_path / "wrong.yaml").write_text("model: {source: embeded, id: digits-cnn}\nseed: x\n")
    with pytest.raises(api.RecipeError) as caught:
        api.load(tmp_path / "wrong.yaml")
    assert {problem.key for problem in caught.value.problems} == {"model.source", "seed"}
    with pytest.raises(api.UsageError):
        api.plan(api.load("digits-int8"), ["seed=1"], outputs=tmp_path)


def test_code_of_a_model_needs_a_word(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    recipe = "model: {source: local, path: model, task: text-generation, trust_remote_code: true}\n"
    (tmp_path / "coded.yaml").write_text(recipe)
    for run in (api.optimize, api.sweep):
        with pytest.raises(api.RecipeError, match="allow_remote_code=True"):
            run(tmp_path / "coded.yaml", outputs=tmp_path)


def test_an_empty_folder_has_nothing(tmp_path: Path) -> None:
    assert api.versions(outputs=tmp_path) == [] and api.report(outputs=tmp_path) == []
    stages = api.plan("digits-int8", outputs=tmp_path)
    assert all(stage.needed and not stage.cached for stage in stages)
    assert all(stage.seconds and stage.memory for stage in stages) and stages[0].disk
    convert, quantize = stages[:2]
    assert (convert.name, convert.why) == ("convert", "never run")
    assert (quantize.label, quantize.why) == ("quantize to int8", "after convert to fp16")


def test_a_report_chooses_and_sorts_its_rows(tmp_path: Path) -> None:
    for name, kld in (("good", 0.001), ("bad", 0.1), ("other", 0.01)):
        write(tmp_path, manifest(name, kld=kld))
    assert {row["name"] for row in api.report(outputs=tmp_path)} == {"good", "bad", "other"}
    best = [row["name"] for row in api.report(["*d"], outputs=tmp_path, sort="kl_divergence")]
    assert best == ["good", "bad"]
    worst = api.report(outputs=tmp_path, sort="kl_divergence", reverse=True)[0]
    assert worst["name"] == "bad"
    with pytest.raises(api.UsageError, match="nothing named none"):
        api.report(["none"], outputs=tmp_path)
