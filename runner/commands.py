"""What each command does, between the parsed command line and the modules that do the work."""

from __future__ import annotations

import json
import sys
from argparse import Namespace
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from runner.errors import AccuracyError, OvrunError, Problem, RecipeError, UsageError
from runner.recipe import load_recipe
from runner.report.words import plural

if TYPE_CHECKING:
    from runner.recipe import Recipe, Sweep
    from runner.store import Store
    from runner.sweep import Execute

Loaded = TypeVar("Loaded")


def split_words(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """Names of recipes, and overrides: the words with `=`, or with Hydra's `~` for taking a key out."""
    names = [word for word in words if "=" not in word and not word.startswith("~")]
    return names, [word for word in words if word not in names]


def load_all(arguments: Namespace) -> list[Recipe]:
    """Load every recipe that is named, with the overrides; every mistake in any of them is told at once."""
    names, overrides = split_words(arguments.words)
    return _each(names, lambda name: load_recipe(name, overrides, recipes_dir=arguments.recipes))


def load_sweeps(arguments: Namespace) -> list[Sweep]:
    """Load the points of every recipe that is named, or matched by a pattern; every mistake in any is told at once."""
    from runner.recipe import load_sweep, matching_recipes

    words, overrides = split_words(arguments.words)
    names = matching_recipes(words, arguments.recipes)
    return _each(names, lambda name: load_sweep(name, overrides, recipes_dir=arguments.recipes))


def _each(names: Sequence[str], load: Callable[[str], Loaded]) -> list[Loaded]:
    if not names:
        raise UsageError([Problem("command line", "", "no recipe is named", "name one, or see `ovrun list`")])
    loaded: list[Loaded] = []
    errors: list[RecipeError] = []
    for name in names:
        try:
            loaded.append(load(name))
        except RecipeError as error:
            errors.append(error)
    if errors:
        problems = dict.fromkeys(problem for error in errors for problem in error.problems)
        raise RecipeError(problems, hint=next((error.hint for error in errors if error.hint), None))
    return loaded


def _permit_all(sweep: Sweep, arguments: Namespace) -> None:
    for recipe in {point.recipe.model: point.recipe for point in sweep.points}.values():
        _permit(recipe, arguments)


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
    for index, recipe in enumerate(recipes):
        try:
            _permit(recipe, arguments)
            documents.append(_optimize_one(recipe, arguments))
            if documents[-1]["status"] == "rejected":
                raise _missed(documents[-1])
        except OvrunError as error:
            report(error, as_json=False)
            code = code or error.exit_code
            if len(documents) == index:
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
    from runner.metrics.gates import missed_gates

    message = f"{document['name']} misses {missed_gates(document['checks'])}"
    hint = (
        "Nothing was published. Less compression (a lower ratio, a smaller group_size, int8) costs less accuracy; "
        "a changed gate is judged at once, without running anything again."
    )
    return AccuracyError(message, hint=hint)


def do_plan(arguments: Namespace) -> int:
    """`ovrun plan`: the stages of each recipe or sweep, and what is cached and why not."""
    from runner.run import store_of

    store = store_of(arguments.outputs)
    described = []
    for sweep in load_sweeps(arguments):
        _permit_all(sweep, arguments)
        described.append(_describe(sweep, store))
    _print_plans(described, arguments)
    return 0


def _describe(sweep: Sweep, store: Store) -> dict[str, Any]:
    from runner.graph import make_graph, plan_points
    from runner.report.plan_table import describe
    from runner.report.sweep_table import describe_sweep

    plans = plan_points(sweep, store)
    return describe_sweep(sweep, make_graph(plans), store) if sweep.keys else describe(plans[0], store)


def _print_plans(described: Sequence[dict[str, Any]], arguments: Namespace) -> None:
    from runner.report.plan_table import print_plan
    from runner.report.sweep_table import print_sweep

    if arguments.json:
        print(json.dumps(described[0] if len(described) == 1 else described, ensure_ascii=False, indent=2))
        return
    for plan in described:
        print_sweep(plan) if "sweep" in plan else print_plan(plan)


def do_sweep(arguments: Namespace) -> int:
    """`ovrun sweep`: every point of recipes as one graph; one recipe's failures do not keep the others from running."""
    from runner.cli import report
    from runner.engine.pick import engine

    execute = engine(arguments)
    sweeps = load_sweeps(arguments)
    for sweep in sweeps:
        _permit_all(sweep, arguments)
    codes = []
    for sweep in sweeps:
        try:
            codes.append(_sweep_one(sweep, execute, arguments))
        except OvrunError as error:
            report(error, as_json=False)
            codes.append(error.exit_code)
    return max(codes)


def _sweep_one(sweep: Sweep, execute: Execute, arguments: Namespace) -> int:
    from runner.report.console import make_console
    from runner.report.sweep_console import SweepConsole, SweepEvents, SweepSilent
    from runner.sweep import run_sweep

    observer: SweepConsole | SweepEvents | SweepSilent
    if arguments.json:
        observer = SweepEvents()
    else:
        observer = SweepSilent() if arguments.quiet else SweepConsole(make_console(), sweep)
    try:
        outcome = run_sweep(sweep, arguments.outputs, observer, execute, fail_fast=arguments.fail_fast)
    finally:
        observer.close()
    observer.summary(outcome)
    if not arguments.json and not arguments.quiet:
        from runner.report.make import after_sweep

        after_sweep(sweep.name, arguments.outputs)
    return outcome.exit_code


def do_validate(arguments: Namespace) -> int:
    """`ovrun validate`: load recipes and stop."""
    from runner.recipe import list_recipes

    if arguments.all:
        names, overrides = split_words(arguments.words)
        entries = list_recipes(arguments.recipes)
        arguments.words = [*names, *(str(entry.path) for entry in entries), *overrides]
    sweeps = load_sweeps(arguments)
    if arguments.json:
        points = {sweep.name: len(sweep.points) for sweep in sweeps if sweep.keys}
        print(json.dumps({"status": "valid", "recipes": [sweep.name for sweep in sweeps], "points": points}, indent=2))
    elif not arguments.quiet:
        for sweep in sweeps:
            count = f", {plural(len(sweep.points), 'point')}" if sweep.keys else ""
            print(f"{sweep.name}: valid{count}")
            for note in dict.fromkeys(note for point in sweep.points for note in point.recipe.notes):
                print(f"  note: {note}")
    return 0


def do_list(arguments: Namespace) -> int:
    """`ovrun list`: recipes and published versions."""
    from runner.report.listing import listing, print_listing

    rows = listing(arguments.recipes, arguments.outputs, points=arguments.json)
    if arguments.json:
        print(json.dumps(rows, ensure_ascii=False, indent=2))
    else:
        print_listing(rows)
    return 0


def do_import(arguments: Namespace) -> int:
    """`ovrun import`: a configuration of another tool as a recipe."""
    from runner.imports import import_words, save
    from runner.imports.writer import write

    draft = import_words(arguments.words)
    text = write(draft)
    unsupported = [str(problem) for problem in draft.unsupported]
    if arguments.output:
        save(text, arguments.output, replace=arguments.force)
    for problem in unsupported:
        print(f"unsupported: {problem}", file=sys.stderr)
    if arguments.json:
        path = str(arguments.output) if arguments.output else None
        document = {"status": "imported", "from": draft.kind, "path": path, "unsupported": unsupported, "recipe": text}
        print(json.dumps(document, ensure_ascii=False, indent=2))
    else:
        print(arguments.output or text, end="\n" if arguments.output else "")
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


def do_report(arguments: Namespace) -> int:
    """`ovrun report`: all points and versions, to choose from."""
    from runner.report.make import make_report

    form = "json" if arguments.json else arguments.format
    words, order = arguments.words, (arguments.sort, arguments.reverse)
    make_report(words, arguments.outputs, form=form, target=arguments.output, sort=order[0], reverse=order[1])
    return 0


def do_compare(arguments: Namespace) -> int:
    """`ovrun compare`: two versions side by side."""
    from runner.report.compare import as_text, compare, find

    compared = compare(find(arguments.a, arguments.outputs), find(arguments.b, arguments.outputs))
    print(json.dumps(compared, ensure_ascii=False, indent=2) if arguments.json else as_text(compared), end="")
    return 0
