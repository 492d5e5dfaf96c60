"""What each command does, between the parsed command line and the modules that do the work."""

from __future__ import annotations

import json
import sys
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from runner.errors import AccuracyError, OvrunError, Problem, RecipeError, UsageError
from runner.recipe import load_recipe
from runner.recipe.types import Recipe


def split_words(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """Names of recipes, and overrides: the words with `=`, or with Hydra's `~` for taking a key out."""
    names = [word for word in words if "=" not in word and not word.startswith("~")]
    return names, [word for word in words if word not in names]


def load_all(arguments: Namespace) -> list[Recipe]:
    """Load every recipe that is named, with the overrides; every mistake in any of them is told at once."""
    names, overrides = split_words(arguments.words)
    if not names:
        raise UsageError([Problem("command line", "", "no recipe is named", "name one, or see `ovrun list`")])
    recipes: list[Recipe] = []
    errors: list[RecipeError] = []
    for name in names:
        try:
            recipes.append(load_recipe(name, overrides, recipes_dir=arguments.recipes))
        except RecipeError as error:
            errors.append(error)
    if errors:
        raise RecipeError([p for e in errors for p in e.problems], hint=next((e.hint for e in errors if e.hint), None))
    return recipes


def _permit(recipe: Recipe, arguments: Namespace) -> None:
    if recipe.model.trust_remote_code and not arguments.allow_remote_code:
        key = "model.trust_remote_code"
        what = "this recipe runs Python code that comes with its model"
        allowed = "that needs your own word on the command line: --allow-remote-code"
        raise RecipeError([Problem(recipe.where(key), key, what, allowed)])


def do_optimize(arguments: Namespace) -> int:
    """`ovrun optimize`: every recipe in turn; one that fails does not keep the others from running."""
    from runner.cli import report

    recipes = load_all(arguments)
    documents: list[dict[str, Any]] = []
    code = 0
    for recipe in recipes:
        try:
            _permit(recipe, arguments)
            documents.append(_optimize_one(recipe, arguments))
            if documents[-1]["status"] == "rejected":
                raise _missed(documents[-1])
        except OvrunError as error:
            report(error, as_json=False)
            code = code or error.exit_code
            if not isinstance(error, AccuracyError):
                documents.append({"name": recipe.name, "status": "error", "errors": error.message.splitlines()})
    if arguments.json:
        print(json.dumps(documents[0] if len(recipes) == 1 else documents, ensure_ascii=False, indent=2))
    return code


def _optimize_one(recipe: Recipe, arguments: Namespace) -> dict[str, Any]:
    from runner.report.console import RunConsole, Silent, make_console
    from runner.run import optimize

    if arguments.quiet or arguments.json:
        outcome = optimize(recipe, arguments.outputs, Silent())
        if arguments.quiet and not arguments.json:
            print(outcome.path)
        return _document(outcome)
    console = RunConsole(make_console(), recipe)
    console.heading()
    try:
        outcome = optimize(recipe, arguments.outputs, console)
    finally:
        console.close()
    console.summary(outcome)
    return _document(outcome)


def _document(outcome: Any) -> dict[str, Any]:
    from runner.manifest import read_manifest

    manifest = read_manifest(outcome.path) or {}
    return {
        "name": outcome.plan.recipe.name,
        "status": outcome.status,
        "path": str(outcome.path),
        "version": outcome.version,
        "seconds": round(outcome.seconds, 3),
        "ran": [stage.label for stage in outcome.plan.stages if stage.key in outcome.ran],
        "log": str(outcome.log) if outcome.log else None,
        "size": manifest.get("size"),
        "checks": manifest.get("checks"),
    }


def _missed(document: dict[str, Any]) -> AccuracyError:
    missed = [
        f"{check['metric']} on {check['dataset']}: {gate['gate']} is {gate['limit']:g}, measured "
        + ("no number" if gate["measured"] is None else f"{gate['measured']:.4g}")
        for check in document["checks"]
        for gate in check["gates"]
        if not gate["passed"]
    ]
    message = f"{document['name']} misses {'; '.join(missed)}"
    hint = (
        "Nothing was published. Less compression (a lower ratio, a smaller group_size, int8) costs less accuracy; "
        "a changed gate is judged at once, without running anything again."
    )
    return AccuracyError(message, hint=hint)


def do_plan(arguments: Namespace) -> int:
    """`ovrun plan`: the stages of each recipe, and what is cached and why not."""
    from runner.plan import make_plan
    from runner.report.plan_table import describe, print_plan
    from runner.run import store_of

    store = store_of(arguments.outputs)
    described = []
    for recipe in load_all(arguments):
        _permit(recipe, arguments)
        described.append(describe(make_plan(recipe, store), store))
    if arguments.json:
        print(json.dumps(described[0] if len(described) == 1 else described, ensure_ascii=False, indent=2))
    else:
        for plan in described:
            print_plan(plan)
    return 0


def do_validate(arguments: Namespace) -> int:
    """`ovrun validate`: load recipes and stop."""
    from runner.recipe import list_recipes

    if arguments.all:
        names, overrides = split_words(arguments.words)
        entries = list_recipes(arguments.recipes)
        arguments.words = [*names, *(str(entry.path) for entry in entries), *overrides]
    recipes = load_all(arguments)
    if arguments.json:
        print(json.dumps({"status": "valid", "recipes": [recipe.name for recipe in recipes]}, indent=2))
    elif not arguments.quiet:
        for recipe in recipes:
            print(f"{recipe.name}: valid")
            for note in recipe.notes:
                print(f"  note: {note}")
    return 0


def do_list(arguments: Namespace) -> int:
    """`ovrun list`: recipes and published versions."""
    from runner.report.listing import listing, print_listing

    rows = listing(arguments.recipes, arguments.outputs)
    if arguments.json:
        print(json.dumps(rows, ensure_ascii=False, indent=2))
    else:
        print_listing(rows)
    return 0


def do_explain(arguments: Namespace) -> int:
    """`ovrun explain`: what keys of a recipe mean."""
    from runner.report.explain import document, print_topics, topics

    found = topics(arguments.words)
    if arguments.json:
        print(json.dumps(document(found), ensure_ascii=False, indent=2))
    else:
        print_topics(found)
    return 0


def do_show(arguments: Namespace) -> int:
    """`ovrun show`: the manifest of versions, for reading."""
    from runner.report.listing import find_version, print_version

    for word in arguments.words:
        manifest, path = find_version(word, arguments.outputs)
        if arguments.json:
            json.dump(manifest, sys.stdout, ensure_ascii=False, indent=2)
            print()
        else:
            print_version(manifest, Path(path))
    return 0
