"""Where recipes and presets are found: a path, the user's folder, then the built-in ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.base import resources
from runner.errors import RecipeError
from runner.recipe import list_recipes, load_recipe

MINE = "model: {source: embedded, id: dialogpt-mini}\ndescription: mine\n"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "recipes").mkdir()
    return tmp_path


def problem(name: str, *, recipes_dir: Path | None = None) -> str:
    with pytest.raises(RecipeError) as caught:
        load_recipe(name, recipes_dir=recipes_dir)
    return str(caught.value)


def test_users_recipe_comes_before_the_built_in_one(home: Path) -> None:
    assert load_recipe("dialogpt-mini-int4").path == resources.recipes_dir() / "dialogpt-mini-int4.yaml"
    (home / "recipes" / "dialogpt-mini-int4.yaml").write_text(MINE)
    assert load_recipe("dialogpt-mini-int4").description == "mine"


def test_folder_of_the_command_line_replaces_the_users(home: Path) -> None:
    (home / "recipes" / "a.yaml").write_text(MINE)
    other = home / "other"
    other.mkdir()
    (other / "b.yaml").write_text(MINE)
    assert load_recipe("b", recipes_dir=other).path == other / "b.yaml"
    assert "a: no such recipe in other or" in problem("a", recipes_dir=other)


def test_path_to_a_file(home: Path) -> None:
    (home / "elsewhere.yaml").write_text(MINE)
    assert load_recipe("elsewhere.yaml").name == "elsewhere"
    assert load_recipe(str(home / "elsewhere.yaml")).name == "elsewhere"
    assert load_recipe("recipes/../elsewhere.yaml").name == "elsewhere"


def test_missing_recipe_names_the_nearest_of_all_places(home: Path) -> None:
    (home / "recipes" / "my-recipe.yaml").write_text(MINE)
    message = problem("my-recip")
    assert message.startswith(
        f"command line: my-recip: no such recipe in recipes or {resources.recipes_dir()}; there are: dialogpt-grid,"
    )
    assert message.endswith("(did you mean my-recipe?)")
    assert problem("dialogpt-mini-int5").endswith("(did you mean dialogpt-mini-int4 or dialogpt-mini-int8?)")


@pytest.mark.parametrize(
    "name", ["../secret", "../../etc/passwd", "recipes/none", "/etc/passwd.yaml", "a\\b", "none.yaml"]
)
def test_name_that_looks_like_a_path(home: Path, name: str) -> None:
    assert problem(name).startswith(f"command line: {name}: no such file, and a recipe's name has no slashes")


def test_name_never_leaves_the_folders(home: Path) -> None:
    (home / "secret.yaml").write_text(MINE)
    assert "no such file" in problem("../secret")
    assert "no such recipe" in problem("..")
    assert "no such recipe" in problem("")


def test_yml_is_refused_with_the_name_to_give_it(home: Path) -> None:
    (home / "recipes" / "old.yml").write_text(MINE)
    assert problem("old") == "recipes/old.yml: recipes end in .yaml; rename it to old.yaml"
    assert problem("recipes/old.yml") == "recipes/old.yml: recipes end in .yaml; rename it to old.yaml"


def test_other_files_are_no_recipes(home: Path) -> None:
    (home / "notes.txt").write_text("x")
    assert problem("./notes.txt") == "command line: ./notes.txt: not a recipe; allowed: a file that ends in .yaml"


def test_missing_folder_of_recipes(home: Path) -> None:
    assert problem("a", recipes_dir=Path("nowhere")) == "nowhere: no such folder of recipes"


def test_users_presets_come_before_the_built_in_ones(home: Path) -> None:
    folder = home / "recipes" / "compression"
    folder.mkdir()
    (folder / "int8.yaml").write_text("algorithm: weight_compression\nmode: int8_sym\n")
    (folder / "mine.yaml").write_text("defaults: [int4-sym]\nratio: 0.5\n")
    (folder / "int4-sym.yaml").write_text("algorithm: weight_compression\nmode: int4_sym\n")
    recipe = "defaults:\n  - model: dialogpt-mini\n  - compression: {}\n"
    (home / "recipes" / "a.yaml").write_text(recipe.format("int8"))
    (home / "recipes" / "b.yaml").write_text(recipe.format("mine"))
    assert load_recipe("a").compression[0].mode == "int8_sym"  # type: ignore[union-attr]
    assert load_recipe("b").resolved["compression"] == {
        "algorithm": "weight_compression",
        "mode": "int4_sym",
        "ratio": 0.5,
    }
    assert load_recipe("b").where("compression.ratio") == "recipes/compression/mine.yaml:2:8"
    assert load_recipe("dialogpt-int4", ["compression=mine"]).resolved["compression"]["ratio"] == 0.5
    assert load_recipe("dialogpt-mini-int8").compression[0].mode == "int8_asym"  # type: ignore[union-attr]


def test_paths_are_relative_to_the_file_that_states_them(home: Path) -> None:
    folder = home / "recipes" / "data"
    folder.mkdir()
    (folder / "mine.yaml").write_text("a: {source: file, path: ../texts/a.txt}\n")
    text = MINE + "defaults: [{data: mine}]\ndatasets:\n  b: {source: file, path: ./b.txt}\n  c: ${datasets.a}\n"
    (home / "recipes" / "r.yaml").write_text(text)
    datasets = load_recipe("r", ["++datasets.d={source: file, path: d.txt}"]).datasets
    assert {name: str(one.path.relative_to(home)) for name, one in datasets.items()} == {
        "a": "recipes/texts/a.txt",
        "b": "recipes/b.txt",
        "c": "recipes/texts/a.txt",
        "d": "d.txt",
    }


def test_list(home: Path) -> None:
    (home / "recipes" / "nncf-legacy.yaml").write_text(MINE)
    (home / "recipes" / "broken.yaml").write_text("a: [")
    entries = {entry.name: entry for entry in list_recipes()}
    assert [entries[name].builtin for name in ("nncf-legacy", "broken", "digits-int8")] == [False, False, True]
    assert entries["nncf-legacy"].description == "mine"
    assert entries["broken"].description == ""
    assert entries["digits-int8"].description.startswith("The embedded digit classifier")
    assert list(entries) == sorted(entries)


def test_unreadable_file(home: Path) -> None:
    (home / "recipes" / "large.yaml").write_text("#" * (1 << 20) + "\n")
    assert problem("large") == "recipes/large.yaml:1:1: is larger than the 1048576 bytes that such a file may have"
