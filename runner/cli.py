"""The command line: what can be asked, and how a failure ends. What a command does is in `runner.commands`."""

from __future__ import annotations

import argparse
import json
import signal
import sys
import tempfile
import traceback
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import Any

from runner import __version__
from runner.errors import INTERRUPTED, OvrunError, RecipeError

_EPILOG = """\
NAME is a recipe's name or a path to its file. key=value changes one value of it, in Hydra's grammar:
compression.ratio=0.6, or compression=int8 for another preset; sweep and plan take several values, as in
compression.ratio=0.6,0.8 or compression=glob(int4-*). Your own ./recipes come before the built-in ones.

exit codes: 0 done · 2 the recipe or the command line is wrong · 3 an accuracy gate was missed ·
4 the model or its data can't be had or read · 5 a stage failed · 130 interrupted"""


def build_parser() -> argparse.ArgumentParser:
    """The parser of all commands."""
    parser = argparse.ArgumentParser(
        prog="ovrun",
        description="A batch optimizer for OpenVINO: one YAML recipe in, one checked and versioned model folder out.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"ovrun {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    optimize = _command(commands, "optimize", "convert, optimize, check and publish the model of a recipe")
    _recipe_words(optimize)
    _places(optimize)
    _remote_code(optimize)
    plan = _command(commands, "plan", "show each stage, its key, whether it is cached, and why not")
    _recipe_words(plan)
    _places(plan)
    _remote_code(plan)
    _sweep(commands)
    validate = _command(commands, "validate", "check recipes, and do nothing else")
    _recipe_words(validate)
    validate.add_argument("--all", action="store_true", help="check every recipe there is")
    _places(validate)
    listing = _command(commands, "list", "show the recipes and the published versions")
    _places(listing)
    show = _command(commands, "show", "show a published version: how it was made and what it measured")
    show.add_argument("words", nargs="+", metavar="NAME[/N]", help="a recipe's latest version, or its version N")
    _places(show)
    imports = _command(commands, "import", "turn a configuration of another tool into a recipe")
    imports.usage = "ovrun import [options] FILE, or ovrun import [options] optimum-cli export openvino …"
    imports.add_argument("words", nargs="*", metavar="FILE", help="an old NNCF configuration, an Olive workflow, …")
    imports.add_argument("--output", "-o", type=Path, metavar="RECIPE", help="where to write it (default: print it)")
    imports.add_argument("--force", action="store_true", help="replace the file that --output names")
    imports.add_argument("--json", action="store_true", help="print JSON instead of text; of a sweep, an event a line")
    explain = _command(commands, "explain", "say what keys of a recipe mean, what is allowed, and what they need")
    explain.add_argument("words", nargs="*", metavar="KEY", help="a key such as compression.ratio, or a section")
    explain.add_argument("--json", action="store_true", help="print JSON instead of text; of a sweep, an event a line")
    _report(commands)
    return parser


def _command(commands: Any, name: str, text: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(
        name,
        help=text,
        description=text[0].upper() + text[1:] + ".",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    return parser


def _recipe_words(parser: argparse.ArgumentParser) -> None:
    """Recipes and overrides are told apart by their form, so they may come in any order."""
    parser.usage = f"{parser.prog} NAME… [key=value …] [options]"
    parser.add_argument(
        "words", nargs="*", metavar="NAME, key=value", help="recipes by name or path; values that replace theirs"
    )


def _places(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--recipes", type=Path, metavar="DIR", help="where your recipes are (default: ./recipes)")
    parser.add_argument(
        "--outputs", type=Path, default=Path("outputs"), metavar="DIR", help="artifacts and store (default: ./outputs)"
    )
    parser.add_argument(
        "--quiet", "-q", action="store_true", help="print only errors, and of optimize the artifact's folder"
    )
    parser.add_argument("--json", action="store_true", help="print JSON instead of text; of a sweep, an event a line")


def _sweep(commands: Any) -> None:
    """`sweep`: which points, and where they run."""
    sweep = _command(commands, "sweep", "run every point of a grid of recipes, doing shared work once")
    _recipe_words(sweep)
    sweep.usage = f"{sweep.prog} NAME… [key=value,value …] [options]"
    _places(sweep)
    _remote_code(sweep)
    where = sweep.add_mutually_exclusive_group()
    where.add_argument("--jobs", type=_count, metavar="N", help="run on N worker processes of this machine")
    where.add_argument("--scheduler", metavar="ADDRESS", help="run on a Dask scheduler, such as tcp://host:8786")
    where.add_argument("--cluster", choices=("slurm",), help="start a Dask cluster there, and run on it")
    sweep.add_argument(
        "--cluster-config", type=Path, metavar="FILE", help="YAML of the resources that a job of --cluster asks for"
    )
    sweep.add_argument("--workers", type=_count, metavar="N", help="how many workers --cluster starts (default: 1)")
    sweep.add_argument("--fail-fast", action="store_true", help="stop at the first point that fails")


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        message = f"{text} is not a whole number of at least 1"
        raise argparse.ArgumentTypeError(message)
    return int(text)


def _remote_code(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--allow-remote-code",
        action="store_true",
        help="let a recipe with model.trust_remote_code run the Python code that comes with its model",
    )


def _report(commands: Any) -> None:
    """`report` and `compare`: what to choose from."""
    report = _command(commands, "report", "show all points and versions in a table, and write it as a page")
    report.add_argument(
        "words", nargs="*", metavar="NAME", help="a recipe, a sweep, a point, NAME/N, or a pattern with *; else all"
    )
    report.add_argument("--sort", metavar="COLUMN", help="best first by size, kl_divergence, compression.ratio…")
    report.add_argument("--reverse", action="store_true", help="the other way round")
    form = report.add_mutually_exclusive_group()
    form.add_argument(
        "--format", choices=("text", "csv", "json", "html"), default="text", help="text also writes OUTPUTS/report.html"
    )
    form.add_argument("--json", action="store_true", help="the same as --format json")
    report.add_argument("--output", type=Path, metavar="FILE", help="write to this file")
    compare = _command(commands, "compare", "show two versions side by side: settings, sizes, metrics, timings")
    compare.add_argument("a", metavar="A", help="NAME (its latest version), NAME/N, or a version's folder")
    compare.add_argument("b", metavar="B", help="the other version")
    compare.add_argument("--json", action="store_true", help="print JSON instead of text; of a sweep, an event a line")
    for parser in (report, compare):
        parser.add_argument(
            "--outputs", type=Path, default=Path("outputs"), metavar="DIR", help="artifacts (default: ./outputs)"
        )


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Parse a command line; `words` may stand before, between and after options."""
    parser = build_parser()
    arguments, rest = parser.parse_known_args(_with_command(sys.argv[1:] if argv is None else argv))
    wrong = [word for word in rest if word.startswith("-") or not hasattr(arguments, "words")]
    if wrong:
        parser.error(f"unrecognized arguments: {' '.join(wrong)}")
    if hasattr(arguments, "words"):
        arguments.words += rest
    return arguments


def _with_command(argv: Sequence[str]) -> list[str]:
    """`import` may do without the `--` before a command line of optimum-cli."""
    words = list(argv)
    if words[:1] == ["import"] and "optimum-cli" in words and "--" not in words:
        words.insert(words.index("optimum-cli"), "--")
    return words


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    arguments = parse(argv)
    signal.signal(signal.SIGTERM, _interrupt)
    from runner import commands

    try:
        return int(getattr(commands, f"do_{arguments.command}")(arguments))
    except OvrunError as error:
        report(error, as_json=arguments.json)
        return error.exit_code
    except KeyboardInterrupt:
        print("\ninterrupted: finished stages are kept, the next run goes on from there", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        sys.stderr.close()
        return 0
    except Exception:
        return _bug()


def script() -> int:
    """The console script: `main`, after which an interrupt has nothing left to stop."""
    code = main()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    return code


def _bug() -> int:
    """An error that nothing was prepared for: tell it in a line, and keep the traceback for a report."""
    text = traceback.format_exc()
    handle, path = tempfile.mkstemp(prefix="ovrun-", suffix=".log", text=True)
    with open(handle, "w", encoding="utf-8") as stream:  # noqa: PTH123
        stream.write(text)
    print(f"error: this is a mistake in ovrun itself: {text.strip().splitlines()[-1]}", file=sys.stderr)
    print(f"\nhint: the whole story is in {path}; please report it", file=sys.stderr)
    return OvrunError.exit_code


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def report(error: OvrunError, *, as_json: bool) -> None:
    """Tell a person, or a program, what went wrong."""
    problems = [str(problem) for problem in error.problems] if isinstance(error, RecipeError) else [error.message]
    for problem in problems:
        print(f"error: {problem}", file=sys.stderr)
    if error.hint:
        print(f"\nhint: {error.hint}", file=sys.stderr)
    if error.log:
        print(f"\nlog: {error.log}", file=sys.stderr)
    if as_json:
        document = {
            "status": "error",
            "exit_code": error.exit_code,
            "errors": problems,
            "hint": error.hint,
            "log": error.log and str(error.log),
        }
        print(json.dumps(document, ensure_ascii=False, indent=2))


if __name__ == "__main__":
    sys.exit(script())
