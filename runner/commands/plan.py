"""`ovrun plan`: the stages of each recipe or sweep, and what is cached and why not."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING, Any

from runner.commands import options
from runner.commands.loading import load_sweeps, permit_all
from runner.report.output import Output

if TYPE_CHECKING:
    from runner.recipe import Sweep
    from runner.store import Store


def arguments(parser: ArgumentParser) -> None:
    """Recipes, places, and what they may run."""
    options.recipe_words(parser)
    options.recipes(parser)
    options.outputs(parser)
    options.remote_code(parser)
    options.quiet(parser, "only the stages that are to do; of a sweep, how many of each kind")
    options.json(parser)


def run(arguments: Namespace, output: Output) -> int:
    """Plan all of them before the first is shown."""
    from runner.store import store_of

    store = store_of(arguments.outputs)
    described = []
    for sweep in load_sweeps(arguments):
        permit_all(sweep, arguments)
        described.append(_describe(sweep, store))
    text = (line for plan in described for line in _lines(plan))
    to_do = (line for plan in described for line in _to_do(plan))
    output.answer(described[0] if len(described) == 1 else described, text, to_do)
    return 0


def _describe(sweep: Sweep, store: Store) -> dict[str, Any]:
    from runner.plan.graph import make_graph, plan_points
    from runner.report.plan_table import describe
    from runner.report.sweep_table import describe_sweep

    plans = plan_points(sweep, store)
    return describe_sweep(sweep, make_graph(plans), store) if sweep.keys else describe(plans[0], store)


def _lines(plan: dict[str, Any]) -> list[str]:
    from runner.report import plan_table, sweep_table

    return list(sweep_table.lines(plan) if "sweep" in plan else plan_table.lines(plan))


def _to_do(plan: dict[str, Any]) -> list[str]:
    if "sweep" in plan:
        return [f"{row['to do']} {row['label']}" for row in plan["kinds"] if row["to do"]]
    return [row["label"] for row in plan["stages"] if row["state"] == "to do"]
