"""What can be asked: a line a command here, and a module each beside this one.

A command's module has `arguments(parser)`, which adds its options, and `run(arguments, output)`, which does the work
and returns the exit code; `USAGE` where argparse's own would not say it. It is imported when the command is asked for.
"""

from __future__ import annotations

import argparse
import importlib
from dataclasses import dataclass
from typing import Any, Protocol, cast

from runner.report.output import Output


class Module(Protocol):
    """What a command's module has."""

    def arguments(self, parser: argparse.ArgumentParser) -> None:
        """Add the command's words and options."""

    def run(self, arguments: argparse.Namespace, output: Output) -> int:
        """Do it; the exit code. A failure is an `OvrunError`."""


@dataclass(frozen=True)
class Command:
    """One command.

    Attributes:
        name: as it is typed.
        text: what it does, for the help.
        module: below this package; None where that is the name.
    """

    name: str
    text: str
    module: str | None = None

    def load(self) -> Module:
        """Import its module."""
        module: Any = importlib.import_module(f"{__name__}.{self.module or self.name}")
        return cast(Module, module)


COMMANDS = (
    Command("optimize", "convert, optimize, check and publish the model of a recipe"),
    Command("plan", "show each stage, its key, whether it is cached, and why not"),
    Command("sweep", "run every point of a grid of recipes, doing shared work once"),
    Command("noise", "measure by how much the reference of each check differs from itself"),
    Command("validate", "check recipes, and do nothing else"),
    Command("list", "show the recipes and the published versions", "listing"),
    Command("show", "show a published version: how it was made and what it measured"),
    Command("report", "show all points and versions in a table, and write it as a page"),
    Command("compare", "show two versions side by side: settings, sizes, metrics, timings"),
    Command("verify", "hold every byte of versions, and of the store, against what was published"),
    Command("reproduce", "make a version again from its manifest, and say what differs first"),
    Command("gc", "remove from the store what no version, no recent run and no running one needs"),
    Command("import", "turn a configuration of another tool into a recipe", "importing"),
    Command("explain", "say what keys of a recipe mean, what is allowed, and what they need"),
)
