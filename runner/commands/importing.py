"""`ovrun import`: a configuration of another tool as a recipe."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Sequence

from runner.commands import options
from runner.report.output import Output

USAGE = "ovrun import [options] FILE, or ovrun import [options] optimum-cli export openvino …"


def arguments(parser: ArgumentParser) -> None:
    """What is imported, and where it goes."""
    parser.add_argument("words", nargs="*", metavar="FILE", help="an old NNCF configuration, an Olive workflow, …")
    parser.add_argument(
        "--output", "-o", type=options.place, metavar="RECIPE", help="where to write it (default: print it)"
    )
    parser.add_argument("--force", action="store_true", help="replace the file that --output names")
    options.json(parser)


def arrange(words: Sequence[str]) -> list[str]:
    """`import` may do without the `--` before a command line of optimum-cli."""
    found = list(words)
    if "optimum-cli" in found and "--" not in found:
        found.insert(found.index("optimum-cli"), "--")
    return found


def run(arguments: Namespace, output: Output) -> int:
    """Import it; what has no counterpart is told on standard error."""
    from runner.importers import import_words, save
    from runner.importers.writer import write

    draft = import_words(arguments.words)
    text = write(draft)
    unsupported = [str(problem) for problem in draft.unsupported]
    if arguments.output:
        save(text, arguments.output, replace=arguments.force)
    for problem in unsupported:
        output.warn(f"unsupported: {problem}")
    path = str(arguments.output) if arguments.output else None
    document = {"status": "imported", "from": draft.kind, "path": path, "unsupported": unsupported, "recipe": text}
    if path is None:
        output.content(document, text)
    else:
        output.answer(document, [path])
    return 0
