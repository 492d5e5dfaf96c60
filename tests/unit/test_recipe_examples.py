"""The example recipes: an invalid one gives exactly the message beside it, a valid one survives being written out."""

from __future__ import annotations

import dataclasses
import os
import re
from pathlib import Path

import jsonschema
import pytest
import yaml

from runner.base import resources
from runner.errors import RecipeError
from runner.recipe import dump_recipe, list_recipes, load_recipe
from runner.recipe.judge import validate

EXAMPLES = Path(__file__).parent.parent / "recipes"
INVALID = sorted(path.name for path in (EXAMPLES / "invalid").glob("*.yaml"))
VALID = sorted(path.name for path in (EXAMPLES / "valid").glob("*.yaml"))
BUILTIN = [entry.name for entry in list_recipes() if entry.builtin and entry.points is None]


@pytest.mark.parametrize("name", INVALID)
def test_invalid_recipe_gives_the_expected_message(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(EXAMPLES / "invalid")
    with pytest.raises(RecipeError) as caught:
        load_recipe(name)
    message = str(caught.value).replace(str(resources.recipes_dir()), "<built-in>") + "\n"
    expected = Path(name).with_suffix(".expected")
    if os.environ.get("UPDATE_EXPECTED"):
        expected.write_text(message, encoding="utf-8")
    assert message == expected.read_text(encoding="utf-8")


def test_no_expected_message_is_left_over() -> None:
    stems = {path.stem for path in (EXAMPLES / "invalid").glob("*.expected")}
    assert stems == {Path(name).stem for name in INVALID}


@pytest.mark.parametrize("name", [*VALID, *BUILTIN])
def test_written_out_recipe_loads_as_the_same(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(EXAMPLES / "valid")
    recipe = load_recipe(name)
    copy = tmp_path / "somewhere" / "recipe.yaml"
    copy.parent.mkdir()
    copy.write_text(dump_recipe(recipe), encoding="utf-8")
    again = load_recipe(str(copy))
    assert dataclasses.replace(again, path=recipe.path, origins=recipe.origins) == recipe
    assert dump_recipe(again) == dump_recipe(recipe)


@pytest.mark.parametrize("path", sorted(resources.recipes_dir().rglob("*.yaml")), ids=lambda path: path.stem)
def test_editors_accept_the_file_as_it_stands(path: Path) -> None:
    """By the schema that the file itself names: without presets composed in, and without `???` filled in."""
    text = path.read_text(encoding="utf-8")
    found = re.search(r"^# yaml-language-server: \$schema=(\S+)$", text, re.MULTILINE)
    assert found
    schema = (path.parent / found[1]).resolve()
    if resources.recipes_dir().name == "recipes":
        assert schema.parent == resources.schemas_dir()
    whole = validate.inline(validate.load_schema(schema.name), schema.name)
    validator = jsonschema.Draft202012Validator(whole)
    assert [error.message for error in validator.iter_errors(yaml.safe_load(text))] == []


@pytest.mark.parametrize("name", [*VALID, *BUILTIN])
def test_origins_name_real_places(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(EXAMPLES / "valid")
    recipe = load_recipe(name)
    assert recipe.origins
    for key, where in recipe.origins.items():
        file, line, column = where.rsplit(":", 2)
        text = Path(file).read_text(encoding="utf-8").splitlines()[int(line) - 1]
        value = _value(recipe.resolved, key)
        is_path = "path" in key or key == "model.weights"
        if isinstance(value, str) and "${" not in text and "*" not in text and not is_path:
            assert text[int(column) - 1 :].lstrip("\"'").startswith(value), (key, where)


def _value(data: object, key: str) -> object:
    for part in key.split("."):
        data = data[int(part)] if isinstance(data, list) else data[part]  # type: ignore[index]
    return data
