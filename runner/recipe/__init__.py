"""Recipes: YAML -> a validated, frozen `Recipe`.

    load_recipe(name, overrides)   compose, validate and build a recipe; every mistake at once
    load_sweep(name, overrides)    the same for every point of a sweep
    list_recipes()                 the recipes that can be named
    matching_recipes(names)        names, with patterns such as dialogpt-* replaced by what they match
    dump_recipe(recipe)            the recipe as YAML that runs by itself

Rooms in the order of the data: read (name -> file -> values with places), compose (Hydra, the command line), judge
(JSON Schemas and rules, in words), points (lists of values -> the points of a sweep); keys tells what each key means.
Beside them: origins (places of values), build (plain data -> the dataclasses of types), load, dump, datasets. Nothing
heavy is imported before it is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from runner.recipe.dump import dump_recipe
    from runner.recipe.load import load_recipe
    from runner.recipe.points.sweep import load_sweep
    from runner.recipe.read.search import RecipeEntry, list_recipes, matching_recipes
    from runner.recipe.types import Point, Recipe, Sweep

__all__ = [
    "Point",
    "Recipe",
    "RecipeEntry",
    "Sweep",
    "dump_recipe",
    "list_recipes",
    "load_recipe",
    "load_sweep",
    "matching_recipes",
]

_HOMES = {
    "Point": "types",
    "Recipe": "types",
    "RecipeEntry": "read.search",
    "Sweep": "types",
    "dump_recipe": "dump",
    "list_recipes": "read.search",
    "load_recipe": "load",
    "load_sweep": "points.sweep",
    "matching_recipes": "read.search",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message)
    import importlib

    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
