"""`ovrun compare`: two versions side by side."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from runner.commands import options
from runner.report.output import Output


def arguments(parser: ArgumentParser) -> None:
    """The two."""
    parser.add_argument("a", metavar="A", help="NAME (its latest version), NAME/N, or a version's folder")
    parser.add_argument("b", metavar="B", help="the other version")
    options.outputs(parser)
    options.json(parser)


def run(arguments: Namespace, output: Output) -> int:
    """Compare them."""
    from runner.report.compare import compare, find, lines

    compared = compare(find(arguments.a, arguments.outputs), find(arguments.b, arguments.outputs))
    output.answer(compared, lines(compared))
    return 0
