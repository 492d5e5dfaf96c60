"""Small files that are large, deep, odd or slow to whoever is careless: each is answered at once, in words."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from runner.errors import RecipeError
from runner.recipe import load_recipe, load_sweep
from runner.recipe.read import yamlfile

MODEL = "model: {source: embedded, id: dialogpt-mini}\n"
FOLDER = "model: {source: local, task: fill-mask, path: %s}\n"
MANY = range(2_900)
NAMES = ", ".join(f'"n{number}"' for number in MANY)

BOMBS = {
    "aliases": (
        "b0: &b0 [1]\n" + "".join(f"b{n}: &b{n} [*b{n - 1}, *b{n - 1}]\n" for n in range(1, 40)),
        "values once",
    ),
    "a long text by aliases": (f"a: &a {'x' * 900_000}\nb: [{', '.join(['*a'] * 500)}]\n", "letters once"),
    "aliases in depth": (
        "b0: &b0 1\n" + "".join(f"b{n}: &b{n} {'[' * 30}*b{n - 1}{']' * 30}\n" for n in range(1, 20)),
        "nested more than 40 deep",
    ),
    "text references": (f"{MODEL}big: {'x' * 400_000}\ndescription: {'${big}' * 80_000}\n", "letters are put in"),
    "list references": (
        f"{MODEL}big: [{NAMES}]\nall: ['${{big}}', '${{big}}']\n".replace("all: [", "all: ["),
        "values are put in",
    ),
    "depth": ("a: " + "[" * 300_000, "nested more than 40 deep"),
    "a large key": (f"? {'a' * 900_000}\n: 1\n", "a key of 900000 letters"),
    "tag directives": ("".join(f"%TAG !a{n}! tag:x\n" for n in range(40_000)) + "---\na: 1\n", "too many %TAG"),
    "points": (f"{MODEL}sweep: {{seed: {list(range(137))}, a.k: {list(range(73))}}}\n", "10001 points; at most 10000"),
    "a product of points": (
        MODEL + "sweep: {" + ", ".join(f"a.k{n}: [1, 2]" for n in range(900)) + "}\n",
        "10^15 points",
    ),
    "points of a large recipe": (
        f"{MODEL}compression:\n  algorithm: weight_compression\n  mode: int4_sym\n"
        f"  ignored_scope: {{names: [{', '.join(f'n{number}' for number in range(1000))}]}}\n"
        f"sweep: {{seed: [{', '.join(map(str, range(1000)))}]}}\n",
        "points of a recipe with",
    ),
    "defaults": (f"defaults: [{', '.join(['{model: dialogpt-mini}'] * 101)}]\n", "too many entries; at most 100"),
    "no number": (f"{MODEL}seed: 1e999\n", "inf is not a finite number"),
    "5,000 digits": (f"{MODEL}seed: {'9' * 5000}\n", "inf is not a finite number"),
    "no exact number": (MODEL + "datasets: {d: {source: file, path: a.txt, limit: 1e19}}\n", "1e+19 is too large"),
    "a fraction of 5,000 digits": (
        MODEL + f"datasets: {{d: {{source: file, path: a.npz, inputs: x, preprocess: {{scale: 1/{'9' * 5000}}}}}}}\n",
        "doesn't fit",
    ),
    "a long name": (FOLDER % ("a" * 256), "has a name of 256 bytes"),
    "a long path": (FOLDER % ("a/" * 3000), "bytes are too long for a path"),
    "no such user": (FOLDER % "~nosuchuser/x", "starts with the name of no user"),
    "NUL": (FOLDER % '"a\\0b"', "holds the character U+0000"),
    "NUL in a dataset": (MODEL + 'datasets: {d: {source: file, path: "a\\0.txt"}}\n', "holds the character U+0000"),
    "a swept key of many parts": (MODEL + f"sweep: {{{'.'.join(['a'] * 490)}: [1, 2]}}\n", "at most 20 parts"),
    "a long model id": ("model: {source: huggingface, id: %s}\n" % ("a" * 1000), "doesn't fit"),
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_told_with_its_place(name: str, tmp_path: Path) -> None:
    text, expected = BOMBS[name]
    path = tmp_path / "bomb.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(RecipeError, match=r"bomb\.yaml:[0-9]+:[0-9]+: ") as caught:
        load_sweep(str(path))
    assert expected in str(caught.value)


LARGE = {
    "anchors": "".join(f"k{number}: &a{number} 1\n" for number in MANY),
    "repetitions": "k: {a: 1}\n" * 1000,
    "a merge": "a: &a {" + ", ".join(f"k{number}: 1" for number in range(1400)) + "}\nb:\n  <<: *a\n",
    "digits": f"a: {'9' * 900_000}\n",
    "blank lines": "a: 1\n" + "\n" * 900_000,
}


@pytest.mark.parametrize("name", LARGE)
def test_reading_looks_at_each_value_a_bounded_number_of_times(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Places are built once: reading never searches those that it has for others."""
    monkeypatch.setattr(yamlfile, "found", lambda *given: given)
    steps = 0
    original = yamlfile._Spot.walk

    def counted(spot: yamlfile._Spot, path: tuple[str | int, ...] = ()) -> object:
        nonlocal steps
        steps += 1
        return original(spot, path)

    monkeypatch.setattr(yamlfile._Spot, "walk", counted)
    file = yamlfile.parse(LARGE[name], Path("x.yaml"))
    assert steps <= 2 * len(file.origins) + 10


OVERRIDES = {
    "5,000 digits": ([f"seed={'9' * 5000}"], "not an override: Exceeds the limit"),
    "a long text": (["description=" + "x" * 20_000], "too long for an override"),
    "many values": (["seed=" + ",".join(["1"] * 2000)], "too long for an override"),
    "many words": ([f"compression.k{number}=1" for number in range(501)], "too many overrides; at most 500"),
    "a large range": (["seed=range(0,1e12)"], "a range of 1000000000000 values; at most 10000"),
    "a huge range": (["seed=range(0,1e300,0.1)"], "a range of 10^15 and more values"),
    "many ranges": ([f"compression.k{number}=range(0,2000)" for number in range(3)], "too many values; at most 5000"),
    "depth": (["description=" + "[" * 60 + "]" * 60], "nested more than 40 deep"),
    "a key of many parts": ([".".join(["aa"] * 3000) + "=1"], "a key of 3000 parts; at most 40"),
    "many parts to take out": (["~" + ".".join(["a"] * 41)], "a key of 41 parts"),
    "many parts that are swept": ([".".join(["a"] * 41) + "=1,2"], "a key of 41 parts"),
    "depth below many parts": ([".".join(["a"] * 30) + "=" + "[" * 20 + "]" * 20], "nested more than 40 deep"),
    "swept depth below many parts": ([".".join(["a"] * 39) + "=1,[[[1]]]"], "nested more than 40 deep"),
    "a key that is a number": (["accuracy.runtime={1: 2}"], "accuracy.runtime"),
    "a name of many letters": (["model=" + "a" * 5000], "no model preset named"),
}


@pytest.mark.parametrize("name", OVERRIDES)
def test_an_override_that_is_too_much_is_told_as_such(name: str) -> None:
    words: Sequence[str]
    words, expected = OVERRIDES[name]
    with pytest.raises(RecipeError, match="command line") as caught:
        load_sweep("dialogpt-mini-int4", words)
    assert expected in str(caught.value) and len(str(caught.value)) < 5000


@pytest.mark.parametrize("kind", ["pipe", "folder", "device"])
def test_only_regular_files_are_read_as_recipes(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "compression").mkdir()
    for path in (tmp_path / "odd.yaml", tmp_path / "compression" / "odd.yaml"):
        if kind == "pipe":
            os.mkfifo(path)
        elif kind == "folder":
            path.mkdir()
        else:
            path.symlink_to("/dev/zero")
    (tmp_path / "with.yaml").write_text("defaults: [{model: dialogpt-mini}, {compression: odd}]\n", encoding="utf-8")
    with pytest.raises(RecipeError, match=r"command line: odd\.yaml: is "):
        load_recipe("odd.yaml")
    with pytest.raises(RecipeError, match="no compression preset named odd"):
        load_recipe("with.yaml")
    with pytest.raises(RecipeError, match="is "):
        yamlfile.read(tmp_path / "odd.yaml")


NAMES_OF_NONE = [
    "abc\n",
    "report.html",
    "latest",
    "rejected",
    ".a",
    "a.",
    "a ",
    "1",
    "123",
    "con",
    "nul.txt",
    "com1",
    "A",
    "a/b",
    "",
]


@pytest.mark.parametrize("name", NAMES_OF_NONE)
def test_a_name_that_no_folder_should_have_is_refused(name: str, tmp_path: Path) -> None:
    path = tmp_path / "r.yaml"
    path.write_text(f"{MODEL}name: {name!r}\n".replace("'", '"'), encoding="utf-8")
    with pytest.raises(RecipeError, match=r"r\.yaml:2:\d+: name: "):
        load_recipe(str(path))


@pytest.mark.parametrize("name", ["latest", "1", "con"])
def test_a_file_with_such_a_name_has_to_state_another(name: str, tmp_path: Path) -> None:
    path = tmp_path / f"{name}.yaml"
    path.write_text(MODEL, encoding="utf-8")
    with pytest.raises(RecipeError, match="the file's name"):
        load_recipe(str(path))


PLACES = {
    "a preset": (
        "defaults: [{model: dialogpt-mini}, {compression: odd}]\n",
        "compression/odd.yaml:2:7: compression.mode",
    ),
    "a point": (MODEL + "sweep:\n  seed: [1, -1]\n", "r.yaml:3:13: seed: -1 is too small"),
    "a drop of no known type": (
        "defaults: [{model: digits-cnn}, {data: digits}, {compression: ptq-int8-accuracy}, _self_]\n"
        "compression:\n  accuracy_control:\n    drop_type: percent\n",
        "r.yaml:4:16: compression.accuracy_control.drop_type",
    ),
    "a drop relative to nothing": (
        "defaults: [{model: dialogpt-mini}, {data: dialogue}, {compression: ptq-int8}, _self_]\ncompression:\n"
        "  dataset: dialogue_train\n  accuracy_control:\n    metric: kl_divergence\n    dataset: dialogue_eval\n"
        "    max_drop: 0.1\n    drop_type: relative\n",
        "r.yaml:8:16: compression.accuracy_control.drop_type: the unquantized model's divergence from itself is 0",
    ),
    "a group that is none": ("defaults: [{nope: x}]\n", "r.yaml:1:19: defaults.0.nope: unknown group"),
    "itself": ("defaults: [r]\n", "r.yaml:1:12: defaults.0: a recipe can't build on itself"),
    "itself twice": (MODEL + "defaults: [_self_, _self_]\n", "r.yaml:2:1: defaults: `_self_` is listed twice"),
}


@pytest.mark.parametrize("name", PLACES)
def test_a_mistake_is_placed_where_it_stands(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "compression").mkdir()
    odd = "algorithm: weight_compression\nmode: int5\n"
    (tmp_path / "compression" / "odd.yaml").write_text(odd, encoding="utf-8")
    text, expected = PLACES[name]
    (tmp_path / "r.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(RecipeError) as caught:
        load_sweep("./r.yaml")
    assert expected in str(caught.value)
