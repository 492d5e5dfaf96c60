"""The command line: keys update, groups replace, and every mistake says that it was made there."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.errors import RecipeError, UsageError
from runner.recipe import load_recipe
from runner.recipe.types import Quantization, WeightCompression


def problems(*overrides: str, name: str = "dialogpt-mini-int4") -> list[str]:
    with pytest.raises(RecipeError) as caught:
        load_recipe(name, overrides)
    return str(caught.value).splitlines()


def test_key_updates_the_section_of_the_recipe() -> None:
    recipe = load_recipe("dialogpt-mini-int4", ["compression.ratio=0.6", "+seed=3", "++target_device=GPU"])
    (step,) = recipe.compression
    assert isinstance(step, WeightCompression)
    assert (step.mode, step.ratio, step.group_size) == ("int4_sym", 0.6, 128)
    assert (recipe.seed, recipe.target_device) == (3, "GPU")
    assert recipe.where("compression.ratio") == "command line: compression.ratio=0.6"
    assert recipe.where("compression.mode").endswith("dialogpt-mini-int4.yaml:24:9")


def test_group_replaces_the_section_of_the_recipe() -> None:
    (step,) = load_recipe("dialogpt-mini-int4", ["compression=int8"]).compression
    assert step == WeightCompression(mode="int8_asym")


def test_group_replaces_a_preset() -> None:
    (step,) = load_recipe("dialogpt-int4", ["compression=int4-asym"]).compression
    assert step == WeightCompression(mode="int4_asym", ratio=0.8, group_size=128)


def test_key_updates_the_group_of_the_command_line_whatever_the_order() -> None:
    for overrides in (
        ["compression=int4-asym", "compression.ratio=0.5"],
        ["compression.ratio=0.5", "compression=int4-asym"],
    ):
        (step,) = load_recipe("dialogpt-mini-int4", overrides).compression
        assert step == WeightCompression(mode="int4_asym", ratio=0.5, group_size=128)


def test_group_with_a_value_that_it_leaves_open() -> None:
    overrides = ["compression=ptq-int8", "compression.dataset=dialogue_train"]
    (step,) = load_recipe("dialogpt-mini-int4", overrides).compression
    assert step == Quantization(dataset="dialogue_train", subset_size=300)


@pytest.mark.parametrize("override", ["compression=null", "~compression"])
def test_section_can_be_emptied(override: str) -> None:
    recipe = load_recipe("dialogpt-mini-int8", [override])
    assert recipe.compression == ()
    assert "compression" not in recipe.resolved


def test_data_replaces_the_datasets() -> None:
    recipe = load_recipe("digits-int8", ["data=[dialogue,digits]"])
    assert {"dialogue_eval", "digits_evaluation"} <= set(recipe.datasets)


def test_last_choice_of_a_group_counts() -> None:
    (step,) = load_recipe("dialogpt-int4", ["compression=int4-asym", "compression=int8"]).compression
    assert step == WeightCompression(mode="int8_asym")


def test_items_of_lists_and_whole_values() -> None:
    recipe = load_recipe(
        "dialogpt-mini-int4", ["accuracy.checks.0.max=0.2", "datasets.new={source: file, path: a.txt}"]
    )
    assert recipe.accuracy.checks[0].max == 0.2
    assert recipe.where("accuracy.checks.0.max") == "command line: accuracy.checks.0.max=0.2"
    assert recipe.datasets["new"].path == Path.cwd() / "a.txt"


def test_whole_list_over_a_mapping() -> None:
    steps = load_recipe(
        "dialogpt-mini-int8", ["compression=[{algorithm: weight_compression, mode: int8_sym}]"]
    ).compression
    assert steps == (WeightCompression(mode="int8_sym"),)


def test_delete_a_key() -> None:
    recipe = load_recipe("dialogpt-mini-int4", ["~compression.ratio", "~accuracy.checks.2"])
    (step,) = recipe.compression
    assert isinstance(step, WeightCompression)
    assert step.ratio is None
    assert len(recipe.accuracy.checks) == 2


def test_typo_reaches_our_validation() -> None:
    (line,) = problems("compression.rato=0.6")
    assert line.startswith(
        "command line: compression.rato=0.6: compression.rato: unknown key; allowed: algorithm, mode,"
    )
    assert line.endswith("(did you mean ratio?)")


def test_wrong_value_says_that_it_came_from_the_command_line() -> None:
    assert problems("compression.ratio=8", "seed=-1") == [
        "command line: compression.ratio=8: compression.ratio: 8 is too large; allowed: a number above 0 and at most 1",
        "command line: seed=-1: seed: -1 is too small; allowed: a whole number of at least 0 and at most 4294967295",
    ]


def test_unknown_preset() -> None:
    assert problems("compression=int4-sim") == [
        "command line: compression=int4-sim: defaults.compression: no compression preset named int4-sim; "
        "there are: fp8, hybrid-unet, int4-asym, int4-awq, int4-awq-se, int4-gptq, int4-sym, int8, mxfp4, nf4, "
        "ptq-fp8, ptq-int8, ptq-int8-accuracy, ptq-mixed "
        "(did you mean int4-sym?)"
    ]


@pytest.mark.parametrize(
    ("override", "message"),
    [
        (
            "compression.ratio=0.6,0.8",
            "several values where one is needed; a list is written [a,b]; `ovrun sweep` takes several values",
        ),
        (
            "compression.ratio=range(1,3)",
            "several values where one is needed; a list is written [a,b]; `ovrun sweep` takes several values",
        ),
        ("compression.ratio", "not an override: missing EQUAL at '<EOF>'; allowed: key=value, group=preset or ~key"),
        (
            "compression=[",
            "not an override: no viable alternative at input '['; allowed: key=value, group=preset or ~key",
        ),
        ("=1", "not a key of a recipe; allowed: a key such as compression.ratio, or a group"),
        ("model@x=y", "not a key of a recipe; allowed: a key such as compression.ratio, or a group"),
        ("hydra/launcher=x", "not a key of a recipe; allowed: a key such as compression.ratio, or a group"),
        ("hydra.run.dir=x", "hydra.run.dir: a recipe can't configure Hydra; remove this section"),
        ("model._target_=os.system", "model._target_: a recipe is data and calls no code; remove this key"),
        ("model={a: {_target_: x}}", "model: a recipe is data and calls no code; remove this key"),
        (
            "description=${oc.env:HOME}",
            'description: "${oc.env:HOME}" is not a plain interpolation; '
            "allowed: ${section.key}, the value of another key of the recipe",
        ),
        ("description=${model.idd}", "description: ${model.idd} names no key of the recipe"),
        ("defaults=[x]", "defaults: can't be changed from the command line; choose a preset with group=name"),
        (
            "accuracy.checks.7.max=1",
            'accuracy.checks.7.max: "7" is no item of the list accuracy.checks; '
            "allowed: the number of an item, the first is 0",
        ),
        (
            "~conversion.precisions",
            "conversion.precisions: not there to delete; there are: precision, stateful, tokenizer",
        ),
        ("compression.group_size=nan", "compression.group_size: nan is not a finite number"),
    ],
)
def test_refused(override: str, message: str) -> None:
    assert problems(override) == [f"command line: {override}: {message}"]


@pytest.mark.parametrize("override", ["input_info.sample_size.0.a=1", "~input_info.sample_size.0.a"])
def test_nothing_lies_in_a_single_value(override: str) -> None:
    with pytest.raises(RecipeError) as caught:
        load_recipe("nncf-legacy", [override])
    (problem,) = caught.value.problems
    assert problem.what == "input_info.sample_size.0 is a single value, there is nothing in it"


def test_all_that_can_not_be_read_comes_at_once() -> None:
    with pytest.raises(UsageError) as caught:
        load_recipe("dialogpt-mini-int4", ["a", "b=1,2"])
    assert len(caught.value.problems) == 2
    assert caught.value.exit_code == 2


def test_interpolation_on_the_command_line() -> None:
    recipe = load_recipe("dialogpt-mini-int4", ["description=${model.id}"])
    assert recipe.description == "dialogpt-mini"
