"""`ovrun plan`: the stages of each recipe or sweep, what is cached and why not, and what the rest will take."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING, Any

from runner.commands import options
from runner.commands.loading import load_sweeps, permit_all
from runner.report.output import Output

if TYPE_CHECKING:
    from pathlib import Path

    from runner.recipe import Sweep


def arguments(parser: ArgumentParser) -> None:
    """Recipes, places, and what they may run."""
    options.recipe_words(parser)
    options.recipes(parser)
    options.outputs(parser)
    options.code(parser)
    options.quiet(parser, "only the stages that are to do; of a sweep, how many of each kind")
    options.json(parser)
    parser.add_argument(
        "--jobs", type=options.count, default=1, metavar="N", help="tell what a sweep takes with N stages side by side"
    )


def run(arguments: Namespace, output: Output) -> int:
    """Plan all of them before the first is shown."""
    described = []
    for sweep in load_sweeps(arguments):
        permit_all(sweep, arguments)
        described.append(_describe(sweep, arguments.outputs, arguments.jobs))
    text = (line for plan in described for line in _lines(plan))
    to_do = (line for plan in described for line in _to_do(plan))
    output.answer(described[0] if len(described) == 1 else described, text, to_do)
    return 0


def _describe(sweep: Sweep, outputs: Path, jobs: int) -> dict[str, object]:
    if sweep.keys:
        return _describe_sweep(sweep, outputs, jobs)
    from runner import api
    from runner.report.plan_table import describe
    from runner.run.resolution import unresolved
    from runner.run.shared import shared_rows
    from runner.store import store_of

    recipe = sweep.points[0].recipe
    described = describe(recipe, api.plan(recipe, outputs=outputs))
    notes = [*unresolved([recipe]), *shared_rows([recipe], store_of(outputs))]
    return described | ({"notes": notes} if notes else {})


def _describe_sweep(sweep: Sweep, outputs: Path, jobs: int) -> dict[str, object]:
    from runner.plan.graph import make_graph, plan_points
    from runner.report.sweep_table import describe_sweep
    from runner.store import store_of

    store = store_of(outputs)
    return describe_sweep(sweep, make_graph(plan_points(sweep, store)), store, jobs)


def _lines(plan: dict[str, object]) -> list[str]:
    if "sweep" in plan:
        from runner.report.sweep_table import lines as sweep_lines

        return list(sweep_lines(plan))
    from runner.report.plan_table import lines

    return list(lines(plan))


def _to_do(plan: dict[str, Any]) -> list[str]:
    if "sweep" in plan:
        return [f"{row['to do']} {row['label']}" for row in plan["kinds"] if row["to do"]]
    return [row["label"] for row in plan["stages"] if row["state"] == "to do"]
