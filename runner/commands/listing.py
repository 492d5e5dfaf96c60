"""`ovrun list`: recipes and published versions."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from functools import partial

from runner.commands import options
from runner.report.output import Output


def arguments(parser: ArgumentParser) -> None:
    """Places alone."""
    options.recipes(parser)
    options.outputs(parser)
    options.quiet(parser, "only the names")
    options.json(parser)


def run(arguments: Namespace, output: Output) -> int:
    """List them."""
    from runner.report.listing import listing, listing_lines, states

    find = partial(listing, arguments.recipes, arguments.outputs)
    rows = output.either(partial(find, points=False), partial(find, points=True))
    for state in states(rows):
        output.warn(f"warning: {state}")
    output.answer(rows, listing_lines(rows, output.width), (row["name"] for row in rows))
    return 0
