"""Sweeps: what lists of values, `exclude`, `include` and the command line stand for, and how points are named."""

from __future__ import annotations

import dataclasses
import itertools
import os
import re
from pathlib import Path

import pytest

from runner.base import resources
from runner.errors import RecipeError, UsageError
from runner.recipe import Sweep, dump_recipe, list_recipes, load_recipe, load_sweep, matching_recipes
from runner.recipe.judge.validate import is_name
from runner.recipe.points.names import LONGEST, point_name
from runner.recipe.types import Gate, Select, WeightCompression

WRONG = Path(__file__).parent.parent / "recipes" / "sweeps"
GRIDS = [entry.name for entry in list_recipes() if entry.builtin and entry.points]


def told(error: RecipeError) -> str:
    text = f"{error}\n" + (f"\nhint: {error.hint}\n" if error.hint else "")
    return text.replace(str(resources.recipes_dir()), "<built-in>")


@pytest.mark.parametrize("name", sorted(path.name for path in WRONG.glob("*.yaml")))
def test_wrong_sweep_gives_the_expected_message(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(WRONG)
    with pytest.raises(RecipeError) as caught:
        load_sweep(name)
    expected = Path(name).with_suffix(".expected")
    if os.environ.get("UPDATE_EXPECTED"):
        expected.write_text(told(caught.value), encoding="utf-8")
    assert told(caught.value) == expected.read_text(encoding="utf-8")


@pytest.fixture
def write(tmp_path: Path) -> Path:
    """The path of a recipe to write: a grid of the embedded dialogue model."""
    return tmp_path / "grid.yaml"


BASE = """
defaults: [{model: dialogpt-mini}, {data: dialogue}, {accuracy: dialogue}, _self_]
compression: {algorithm: weight_compression, mode: int4_sym}
"""


def suffixes(path: Path, sweep: str, *overrides: str) -> list[str]:
    """What the names of the points of BASE with a `sweep` section end in."""
    path.write_text(f"{BASE}sweep:\n{sweep}", encoding="utf-8")
    return [point.name.removeprefix("grid") for point in load_sweep(str(path), overrides).points]


GRID = """
  compression.ratio: [0.6, 0.8]
  compression.group_size: [64, 128]
"""
ALL = [
    "--ratio-0.6--group_size-64",
    "--ratio-0.6--group_size-128",
    "--ratio-0.8--group_size-64",
    "--ratio-0.8--group_size-128",
]


def test_grid_is_every_combination(write: Path) -> None:
    assert suffixes(write, GRID) == ALL


def test_a_point_is_a_whole_recipe(write: Path) -> None:
    suffixes(write, GRID)
    sweep = load_sweep(str(write))
    assert (sweep.name, sweep.keys) == ("grid", ("compression.ratio", "compression.group_size"))
    point = sweep.points[3]
    assert point.settings == {"compression.ratio": 0.8, "compression.group_size": 128}
    assert point.recipe.name == point.recipe.resolved["name"] == point.name
    assert point.recipe.compression == (WeightCompression(mode="int4_sym", ratio=0.8, group_size=128),)
    assert {"sweep", "select"}.isdisjoint(point.recipe.resolved)
    assert re.search(r"grid\.yaml:6:28$", point.recipe.where("compression.ratio"))
    assert point.recipe.where("compression.mode").endswith("grid.yaml:3:52")


@pytest.mark.parametrize("name", GRIDS)
def test_every_point_written_out_loads_as_the_same(name: str, tmp_path: Path) -> None:
    sweep = load_sweep(name)
    for point in sweep.points:
        copy = tmp_path / point.name / "recipe.yaml"
        copy.parent.mkdir()
        copy.write_text(dump_recipe(point.recipe), encoding="utf-8")
        again = load_recipe(str(copy))
        assert dataclasses.replace(again, path=point.recipe.path, origins=point.recipe.origins) == point.recipe


@pytest.mark.parametrize("name", GRIDS)
def test_built_in_grids_are_as_the_list_says(name: str) -> None:
    entry = next(entry for entry in list_recipes() if entry.name == name)
    assert entry.points == len(load_sweep(name).points) >= 10


def test_exclude_takes_out_every_point_that_has_all_of_an_entry(write: Path) -> None:
    assert suffixes(write, GRID + "  exclude: [{compression.ratio: 0.6, compression.group_size: 64}]") == ALL[1:]
    assert suffixes(write, GRID + "  exclude: [{compression.group_size: 64.0}]") == [ALL[1], ALL[3]]


def test_include_adds_points_that_exclude_does_not_see(write: Path) -> None:
    text = "  exclude: [{compression.ratio: 0.6}]\n  include: [{compression.ratio: 0.6}, {compression: int8}]"
    assert suffixes(write, GRID + text) == [*ALL[2:], "--ratio-0.6", "--compression-int8"]
    assert load_sweep(str(write)).points[-1].recipe.compression == (WeightCompression(mode="int8_asym"),)


def test_include_alone_is_no_grid(write: Path) -> None:
    assert suffixes(write, "  include: [{compression.ratio: 0.6}, {seed: 1}]") == ["--ratio-0.6", "--seed-1"]


def test_a_point_that_comes_up_twice_is_one(write: Path) -> None:
    entry = "{compression.group_size: 64.0, compression.ratio: 0.6}"
    assert suffixes(write, GRID + f"  include: [{entry}, {entry}]") == ALL


def test_presets_and_values_in_one_grid(write: Path) -> None:
    text = "  compression.ratio: [0.5]\n  compression: [int4-sym, int4-asym]\n"
    assert suffixes(write, text) == ["--compression-int4-sym--ratio-0.5", "--compression-int4-asym--ratio-0.5"]
    steps = [point.recipe.compression[0] for point in load_sweep(str(write)).points]
    assert [(step.mode, step.ratio, step.group_size) for step in steps] == [  # type: ignore[union-attr]
        ("int4_sym", 0.5, 128),
        ("int4_asym", 0.5, 128),
    ]


def test_no_compression_is_a_value_too(write: Path) -> None:
    assert suffixes(write, "  compression: [null, int8]") == ["--compression-null", "--compression-int8"]
    assert load_sweep(str(write)).points[0].recipe.compression == ()


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        (["compression.ratio=0.6"], ALL[:2]),
        (["compression.ratio=0.8,0.9"], [*ALL[2:], "--ratio-0.9--group_size-64", "--ratio-0.9--group_size-128"]),
        (["compression.ratio=0.6", "compression.group_size=64"], ALL[:1]),
        (["~compression.ratio"], ["--group_size-64", "--group_size-128"]),
        (["compression=int8"], [""]),
        (["compression=int4-sym,int4-asym"], ["--compression-int4-sym", "--compression-int4-asym"]),
        (["compression={ratio: 0.7}"], ["--group_size-64", "--group_size-128"]),
        (
            ["seed=0,1", "compression.ratio=0.6", "compression.group_size=64"],
            [f"{ALL[0]}--seed-0", f"{ALL[0]}--seed-1"],
        ),
        (["seed=3"], ALL),
        (["~sweep"], [""]),
        (["sweep=null", "seed=1,2"], ["--seed-1", "--seed-2"]),
        (["sweep.exclude=[{compression.ratio: 0.6}]"], ALL[2:]),
        (["name=mine", "compression.ratio=0.6"], [f"mine{suffix}" for suffix in ALL[:2]]),
    ],
)
def test_command_line_wins_over_the_file(write: Path, overrides: list[str], expected: list[str]) -> None:
    assert suffixes(write, GRID, *overrides) == expected


INCLUDE = GRID + "  include: [{compression: int8}, {compression.ratio: 0.9, compression.group_size: 64}]"


@pytest.mark.parametrize(
    ("overrides", "extra"),
    [
        ([], ["--compression-int8", "--ratio-0.9--group_size-64"]),
        (["compression.ratio=0.6"], []),
        (["compression.ratio=0.6,0.9"], ["--ratio-0.9--group_size-64"]),
        (["seed=3"], ["--compression-int8", "--ratio-0.9--group_size-64"]),
        (["~sweep.include"], []),
    ],
)
def test_extra_points_have_to_agree_with_the_command_line(write: Path, overrides: list[str], extra: list[str]) -> None:
    found = suffixes(write, INCLUDE, *overrides)
    grid = [f"--ratio-{r}--group_size-{g}" for r, g in itertools.product((0.6, 0.8, 0.9), (64, 128))]
    assert [name for name in found if name in (*extra, "--compression-int8") or name not in grid] == extra


def test_keys_that_the_command_line_adds_go_with_extra_points_too(write: Path) -> None:
    found = suffixes(write, INCLUDE, "seed=1,2")
    assert len(found) == 12
    assert found[-4:-2] == ["--compression-int8--seed-1", "--compression-int8--seed-2"]


def test_command_line_makes_a_sweep_of_any_recipe() -> None:
    overrides = ["compression.ratio=0.6,0.8", "compression.group_size=range(32,97,32)", "compression.mode=choice(nf4)"]
    sweep = load_sweep("dialogpt-mini-int4", overrides)
    assert len(sweep.points) == 6
    assert sweep.points[0].name == "dialogpt-mini-int4--mode-nf4--ratio-0.6--group_size-32"
    assert sweep.points[0].recipe.where("compression.ratio") == "command line: compression.ratio=0.6,0.8"


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("seed=1,2,2", [1, 2]),
        ("seed=range(3)", [0, 1, 2]),
        ("seed=range(9,1,-4)", [9, 5]),
        ("compression.ratio=range(0.5,0.9,0.1)", [0.5, 0.6, 0.7, 0.8]),
        ("compression.ratio=choice(0.5,0.7)", [0.5, 0.7]),
        ("compression.ratio=sort(0.7,0.5)", [0.5, 0.7]),
        ("compression=glob([int4-*,int8],exclude=[*awq*,*gptq])", ["int4-asym", "int4-sym", "int8"]),
        ("accuracy.runtime={INFERENCE_PRECISION_HINT: f32},{INFERENCE_PRECISION_HINT: bf16}", None),
    ],
)
def test_grammar_of_the_command_line(text: str, values: list[object] | None) -> None:
    sweep = load_sweep("dialogpt-mini-int4", [text])
    key = text.partition("=")[0]
    if values is None:
        values = [{"INFERENCE_PRECISION_HINT": "f32"}, {"INFERENCE_PRECISION_HINT": "bf16"}]
    assert [point.settings[key] for point in sweep.points] == values


@pytest.mark.parametrize(
    ("override", "message"),
    [
        (
            "seed=glob(*)",
            "glob takes presets, and seed is no group of them; allowed: model, data, compression, accuracy",
        ),
        ("model=glob(gpt*)", "no model preset matches; there are: dialogpt-mini, dialogpt-small, digits-cnn"),
        ("seed=range(1,1)", "a range without values; the first value is start, the last is before stop"),
        ("seed=range(0,1,0)", "a range needs finite numbers, and a step that is not 0"),
        ("seed=range(0,1e9)", "a range of 1000000000 values; at most 10000"),
        ("seed=1,range(2,4)", "a range among other values; write the values out"),
        ("~seed=1,2", "several values for a key that is taken out; allowed: ~key"),
        (
            "seed=interval(0,1)",
            "tags, shuffle and interval have no meaning here; "
            "allowed: a,b  choice(a,b)  range(start,stop,step)  glob(pattern)",
        ),
        ("name=a,b", None),
        ("defaults=[a],[b]", None),
        ("compression.ratio=0.6,${seed}", None),
    ],
)
def test_refused_on_the_command_line(override: str, message: str | None) -> None:
    with pytest.raises(RecipeError) as caught:
        load_sweep("dialogpt-mini-int4", [override])
    assert caught.value.exit_code == 2
    if message is not None:
        assert isinstance(caught.value, UsageError)
        assert str(caught.value) == f"command line: {override}: {message}"


def test_all_words_that_can_not_be_read_come_at_once() -> None:
    with pytest.raises(UsageError) as caught:
        load_sweep("dialogpt-mini-int4", ["seed=1,", "x=interval(0,1)", "seed=1,2"])
    assert len(caught.value.problems) == 2


def test_a_plain_recipe_is_one_point() -> None:
    sweep = load_sweep("dialogpt-mini-int8")
    assert (sweep.keys, len(sweep.points), sweep.points[0].settings) == ((), 1, {})
    assert sweep.points[0].name == "dialogpt-mini-int8"
    assert sweep.points[0].recipe == load_recipe("dialogpt-mini-int8")


def test_points_share_what_is_equal() -> None:
    first, *others = load_sweep("dialogpt-mini-grid").points
    for point in others:
        assert point.recipe.model is first.recipe.model
        assert point.recipe.datasets is first.recipe.datasets
        assert point.recipe.resolved["accuracy"] is first.recipe.resolved["accuracy"]
        assert point.recipe.resolved["compression"] is not first.recipe.resolved["compression"]


def test_numbers_that_are_wrong_alike_are_one_mistake() -> None:
    with pytest.raises(RecipeError) as caught:
        load_sweep("dialogpt-mini-int4", ["compression.ratio=range(0.91,1.2,0.01)"])
    (line,) = str(caught.value).splitlines()
    assert (
        "1.01 is too large (in 19 of 29 points: --ratio-1.01, --ratio-1.02, --ratio-1.03 and 16 more); allowed" in line
    )


def test_not_more_mistakes_are_told_than_a_person_reads() -> None:
    wrong = ",".join(f"x{n}" for n in range(50))
    with pytest.raises(RecipeError) as caught:
        load_sweep("dialogpt-mini-int4", [f"compression.mode={wrong}"])
    lines = str(caught.value).splitlines()
    assert len(lines) == 31
    assert lines[-1].endswith("dialogpt-mini-int4.yaml:6:1: and 20 more mistakes")


def test_optimize_does_not_take_a_sweep() -> None:
    with pytest.raises(RecipeError, match="this is a sweep, and one recipe is needed here; `ovrun sweep` runs it"):
        load_recipe("dialogpt-mini-grid")
    assert load_recipe("dialogpt-mini-grid", ["~sweep", "compression.mode=int4_sym"]).name == "dialogpt-mini-grid"


def test_a_recipe_built_on_a_sweep_has_its_points_or_its_own(tmp_path: Path) -> None:
    head = "defaults: [dialogpt-mini-grid, _self_]\n"
    texts = {"its": head, "own": f"{head}sweep: {{compression.mode: [nf4]}}\n", "none": f"{head}sweep:\n"}
    points: dict[str, Sweep] = {}
    for name, text in texts.items():
        path = tmp_path / f"{name}.yaml"
        path.write_text(text + "compression: {mode: int4_sym}\n", encoding="utf-8")
        points[name] = load_sweep(str(path))
    assert len(points["its"].points) == 13
    assert [point.name for point in points["own"].points] == ["own--mode-nf4"]
    assert [point.name for point in points["none"].points] == ["none"]


def test_an_interpolation_sees_the_values_of_its_point(write: Path) -> None:
    write.write_text(f"{BASE}description: ratio ${{compression.ratio}}\nsweep: {{compression.ratio: [0.6, 0.8]}}\n")
    assert [point.recipe.description for point in load_sweep(str(write)).points] == ["ratio 0.6", "ratio 0.8"]


def test_a_name_that_is_referred_to(write: Path) -> None:
    write.write_text(f"{BASE}name: my-${{model.id}}\n", encoding="utf-8")
    plain = load_sweep(str(write))
    assert (plain.name, plain.points[0].name) == ("my-dialogpt-mini", "my-dialogpt-mini")
    with pytest.raises(RecipeError, match="the name of a sweep is stated, not referred to"):
        load_sweep(str(write), ["seed=1,2"])


def test_a_path_in_a_sweep_is_relative_to_its_file(write: Path) -> None:
    suffixes(write, "  datasets.mine: [{source: file, path: a.txt}, {source: file, path: b.txt}]\n")
    paths = [point.recipe.datasets["mine"].path for point in load_sweep(str(write)).points]
    assert paths == [write.parent / name for name in ("a.txt", "b.txt")]


def test_select(write: Path) -> None:
    suffixes(write, f"{GRID}select: {{minimize: size, subject_to: [{{metric: kl_divergence, max: 0.002}}]}}")
    assert load_sweep(str(write)).select == Select("minimize", "size", (Gate("kl_divergence", max=0.002),))
    assert load_sweep(str(write), ["select.minimize=seconds"]).select == Select(
        "minimize", "seconds", (Gate("kl_divergence", max=0.002),)
    )
    assert load_sweep(str(write), ["~select"]).select is None
    assert load_sweep("digits-grid").select == Select("minimize", "relative_l2")


def test_patterns_stand_for_recipes() -> None:
    assert matching_recipes(["dialogpt-mini-i*", "digits-int8", "digits-int*"]) == [
        "dialogpt-mini-int4",
        "dialogpt-mini-int8",
        "digits-int8",
    ]
    with pytest.raises(RecipeError, match="no recipe matches; there are:"):
        matching_recipes(["nothing-*"])


# Names


def test_names_do_not_depend_on_the_order_in_which_keys_are_listed() -> None:
    settings = {"compression.group_size": 64, "seed": 1, "compression.mode": "int4_sym", "compression.ratio": 0.6}
    name = "g--mode-int4_sym--ratio-0.6--group_size-64--seed-1"
    assert point_name("g", settings) == name
    assert point_name("g", dict(reversed(settings.items()))) == name


@pytest.mark.parametrize(
    ("key", "value", "part"),
    [
        ("compression.ratio", 1.0, "ratio-1"),
        ("compression.ratio", 1, "ratio-1"),
        ("compression.group_size", -1, "group_size--1"),
        ("compression.awq", True, "awq-true"),
        ("compression", None, "compression-null"),
        ("compression", "int4-awq", "compression-int4-awq"),
        ("accuracy.checks.0.max", 1e-05, "accuracy.checks.0.max-1e-05"),
        ("datasets.dialogue_eval.limit", 40, "datasets.dialogue_eval.limit-40"),
        ("model.path", "../My Models/a.onnx", r"path-my_models_a_onnx\.[0-9a-f]{12}"),
        ("model.revision", "true", r"revision-true\.[0-9a-f]{12}"),
        ("data", ["dialogue", "digits"], r"data-dialogue_digits\.[0-9a-f]{12}"),
        ("datasets.Mine.limit", 40, r"datasets_mine_limit\.[0-9a-f]{12}-40"),
    ],
)
def test_how_a_setting_is_written(key: str, value: object, part: str) -> None:
    assert re.fullmatch(f"g--{part}", point_name("g", {key: value}))


VALUES = [
    "a",
    "A",
    "a b",
    "a_b",
    "a-b",
    "a--b",
    "a.b",
    "",
    "é",
    "è",
    "1",
    1,
    "1.0",
    1.5,
    "true",
    True,
    "null",
    None,
    "-",
]
VALUES += [
    "x" * 39,
    "x" * 40,
    "x" * 41,
    "x" * 42,
    ["a", "b"],
    ["a,b"],
    {"a": 1},
    {"a": "1"},
    "a_b.0123456789ab",
    10**30,
]
KEYS = ["model.id", "datasets.id.column", "datasets.id", "compression", "model", "datasets.a-b.id", "datasets.a.b-id"]


def test_different_settings_never_share_a_name() -> None:
    names = {}
    for first, second in itertools.product(itertools.product(KEYS, VALUES), repeat=2):
        settings = dict([first, second])
        name = point_name("g" * 64, settings)
        same = names.setdefault(name, settings)
        assert same == settings and list(map(type, same.values())) == list(map(type, map(same.get, same)))
        assert is_name(name) and len(name.encode()) <= LONGEST


def test_a_long_name_is_cut_and_still_its_own() -> None:
    many = {f"compression.advanced.key{n}": "v" * 30 for n in range(9)}
    others = {**many, "compression.advanced.key8": "w" * 30}
    names = [point_name("g" * 190, many), point_name("g" * 190, others), point_name("g" * 189, many)]
    assert len(set(names)) == 3
    assert all(len(name) <= LONGEST and is_name(name) for name in names)


def test_no_two_keys_of_the_schemas_are_written_alike() -> None:
    from runner.recipe.points.names import _order, point_name

    written = [point_name("base", {key: 1}) for key in _order()]
    assert len(written) == len(set(written))
    assert point_name("base", {"compression.ratio": 1}) == "base--ratio-1"
