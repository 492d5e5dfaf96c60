"""`ovrun report`: all points and versions, to choose from."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from runner.commands import options
from runner.report.output import Output


def arguments(parser: ArgumentParser) -> None:
    """What to choose from, in which order and form."""
    parser.add_argument(
        "words", nargs="*", metavar="NAME", help="a recipe, a sweep, a point, NAME/N, or a pattern with *; else all"
    )
    options.outputs(parser)
    parser.add_argument("--sort", metavar="COLUMN", help="best first by size, kl_divergence, compression.ratio…")
    parser.add_argument("--reverse", action="store_true", help="the other way round")
    form = parser.add_mutually_exclusive_group()
    form.add_argument(
        "--format", choices=("text", "csv", "json", "html"), default="text", help="text also writes OUTPUTS/report.html"
    )
    form.add_argument("--json", action="store_true", help="the same as --format json")
    parser.add_argument("--output", type=options.place, metavar="FILE", help="write to this file")
    options.quiet(parser, "only the page's path, and no table")


def run(arguments: Namespace, output: Output) -> int:
    """Make the report."""
    from runner.report.make import make_report

    form = "json" if arguments.json else arguments.format
    words, order = arguments.words, (arguments.sort, arguments.reverse)
    target = arguments.output
    make_report(words, arguments.outputs, output, form=form, target=target, sort=order[0], reverse=order[1])
    return 0
