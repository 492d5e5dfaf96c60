"""Recipes: YAML -> a validated, frozen `Recipe`.

    load_recipe(name, overrides)   compose, validate and build a recipe; every mistake at once
    load_sweep(name, overrides)    the same for every point of a sweep
    list_recipes()                 the recipes that can be named
    matching_recipes(names)        names, with patterns such as dialogpt-* replaced by what they match
    dump_recipe(recipe)            the recipe as YAML that runs by itself
    check_against_config(…)        the rules that need the model's config.json

Modules in the order of the data: search (name -> file), yamlfile (text -> values with places), rawcheck (what a
recipe may not hold), documents (the files that `defaults` name), compose (Hydra), origins (places through the
composition), overrides (the command line), validate and wording (JSON Schema -> words), rules (references between
sections), legacy (old NNCF grammar), build (plain data -> dataclasses). For sweeps: grid (lists of values -> settings),
sweep (settings -> points), sweep_names, sweep_mistakes, select. Nothing heavy is imported before it is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from runner.recipe.dump import dump_recipe
    from runner.recipe.load import load_recipe
    from runner.recipe.model_rules import check_against_config
    from runner.recipe.search import RecipeEntry, list_recipes, matching_recipes
    from runner.recipe.sweep import Point, Sweep, load_sweep
    from runner.recipe.types import Recipe

__all__ = [
    "Point",
    "Recipe",
    "RecipeEntry",
    "Sweep",
    "check_against_config",
    "dump_recipe",
    "list_recipes",
    "load_recipe",
    "load_sweep",
    "matching_recipes",
]

_HOMES = {
    "Point": "sweep",
    "Recipe": "types",
    "RecipeEntry": "search",
    "Sweep": "sweep",
    "check_against_config": "model_rules",
    "dump_recipe": "dump",
    "list_recipes": "search",
    "load_recipe": "load",
    "load_sweep": "sweep",
    "matching_recipes": "search",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message)
    import importlib

    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
