"""`ovrun explain`: what keys of a recipe mean."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from runner.commands import options
from runner.report.output import Output


def arguments(parser: ArgumentParser) -> None:
    """Keys."""
    parser.add_argument("words", nargs="*", metavar="KEY", help="a key such as compression.ratio, or a section")
    options.json(parser)


def run(arguments: Namespace, output: Output) -> int:
    """Explain them, or the whole recipe."""
    from runner.report.explain import document, lines, topics

    found = topics(arguments.words)
    output.answer(document(found), lines(found, output.width))
    return 0
