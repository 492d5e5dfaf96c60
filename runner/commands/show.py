"""`ovrun show`: the manifest of versions, for reading."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from runner.commands import options
from runner.report.output import Output


def arguments(parser: ArgumentParser) -> None:
    """Versions."""
    parser.add_argument("words", nargs="+", metavar="NAME[/N]", help="a recipe's latest version, or its version N")
    parser.add_argument("--rows", action="store_true", help="which rows of the data are worse than with the reference")
    options.outputs(parser)
    options.quiet(parser, "only the folders of the versions")
    options.json(parser, "print the manifest, one JSON document a version")


def run(arguments: Namespace, output: Output) -> int:
    """Show each."""
    from runner.report.listing import find_version, flipped_lines, state_of, version_lines

    for word in arguments.words:
        manifest, path = find_version(word, arguments.outputs)
        if state := state_of(manifest, path):
            output.warn(f"warning: {path}: {state}")
        lines = [
            *version_lines(manifest, path, arguments.outputs),
            *(flipped_lines(manifest) if arguments.rows else ()),
        ]
        output.answer(manifest, lines, [str(path)])
    return 0
