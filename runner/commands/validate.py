"""`ovrun validate`: load recipes and stop."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from runner.base.words import plural
from runner.commands import options
from runner.commands.loading import load_sweeps, split_words
from runner.report.output import Output

if TYPE_CHECKING:
    from runner.recipe import Sweep


def arguments(parser: ArgumentParser) -> None:
    """Recipes, or all of them."""
    options.recipe_words(parser)
    parser.add_argument("--all", action="store_true", help="check every recipe there is")
    options.recipes(parser)
    options.quiet(parser, "nothing")
    options.json(parser)


def run(arguments: Namespace, output: Output) -> int:
    """Load them; a mistake is an error."""
    from runner.recipe import list_recipes

    if arguments.all:
        names, overrides = split_words(arguments.words)
        entries = list_recipes(arguments.recipes)
        arguments.words = [*names, *(str(entry.path) for entry in entries), *overrides]
    sweeps = load_sweeps(arguments)
    points = {sweep.name: len(sweep.points) for sweep in sweeps if sweep.keys}
    document = {"status": "valid", "recipes": [sweep.name for sweep in sweeps], "points": points}
    output.answer(document, _lines(sweeps))
    return 0


def _lines(sweeps: Sequence[Sweep]) -> Iterator[str]:
    for sweep in sweeps:
        yield f"{sweep.name}: valid" + (f", {plural(len(sweep.points), 'point')}" if sweep.keys else "")
        for note in dict.fromkeys(note for point in sweep.points for note in point.recipe.notes):
            yield f"  note: {note}"
