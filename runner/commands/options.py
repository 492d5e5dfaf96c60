"""Words and options that several commands have, so that they mean the same everywhere."""

from __future__ import annotations

import argparse
from pathlib import Path

from runner.base.paths import expanded, refusal
from runner.base.words import shorten


def recipe_words(parser: argparse.ArgumentParser, value: str = "value") -> None:
    """Recipes and overrides are told apart by their form, so they may come in any order."""
    parser.usage = f"{parser.prog} NAME… [key={value} …] [options]"
    parser.add_argument(
        "words", nargs="*", metavar="NAME, key=value", help="recipes by name or path; values that replace theirs"
    )


def recipes(parser: argparse.ArgumentParser) -> None:
    """For commands that read recipes."""
    parser.add_argument("--recipes", type=place, metavar="DIR", help="where your recipes are (default: ./recipes)")


def outputs(parser: argparse.ArgumentParser) -> None:
    """For commands that read or write versions or the store."""
    parser.add_argument(
        "--outputs",
        type=folder,
        default=Path("outputs"),
        metavar="DIR",
        help="artifacts and store (default: ./outputs)",
    )


def quiet(parser: argparse.ArgumentParser, what: str) -> None:
    """For commands of which a script needs less than a person; `what` it is."""
    parser.add_argument("--quiet", "-q", action="store_true", help=f"print {what}; errors are always told")


def json(parser: argparse.ArgumentParser, text: str = "print one JSON document instead of text") -> None:
    """For every command."""
    parser.add_argument("--json", action="store_true", help=text)


def code(parser: argparse.ArgumentParser) -> None:
    """For commands that may run what comes with a model, or is one, or measures it."""
    parser.add_argument(
        "--allow-remote-code",
        action="store_true",
        help="let a recipe with model.trust_remote_code run the Python code that comes with its model",
    )
    parser.add_argument(
        "--allow-code",
        action="store_true",
        help="let a recipe run the code of its own: the file of a model (`source: pytorch`) or of a metric",
    )


def undecided(parser: argparse.ArgumentParser) -> None:
    """For commands that publish."""
    parser.add_argument(
        "--accept-undecided",
        action="store_true",
        help="publish a model too of which a check with `decide: bound` can't tell whether it meets its gate",
    )


def place(text: str) -> Path:
    """A path that a file or folder can have; `~` stands for the home folder, as in a shell's own words."""
    path = expanded(text)
    if what := refusal(path) if text else "an empty word is no path":
        message = f"{shorten(text)} {what}" if text else what
        raise argparse.ArgumentTypeError(message)
    return path


def folder(text: str) -> Path:
    """A folder that is there or can be made; an empty word names none."""
    if not text:
        message = "an empty word is no folder"
        raise argparse.ArgumentTypeError(message)
    path = place(text)
    if path.exists() and not path.is_dir():
        message = f"{text} is not a folder"
        raise argparse.ArgumentTypeError(message)
    return path


def count(text: str) -> int:
    """A whole number of at least 1, and of no more than nine digits."""
    if not (text.isascii() and text.isdecimal() and len(text) <= 9) or int(text) < 1:
        message = f"{text} is not a whole number of at least 1"
        raise argparse.ArgumentTypeError(message)
    return int(text)
