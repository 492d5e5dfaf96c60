"""The console of a run: a line a stage with its time and peak memory, a bar on long work, and a last block."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console, ConsoleOptions, RenderableType
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.segment import Segment
from rich.text import Text

from runner.artifact.checks import check_lines
from runner.artifact.parts import part_lines
from runner.artifact.status import Status
from runner.artifact.versions import read_manifest
from runner.base import safe
from runner.base.figures import megabytes, seconds
from runner.base.words import plural

if TYPE_CHECKING:
    from runner.artifact.types import SizeRecord
    from runner.errors import OvrunError
    from runner.plan.graph import Graph
    from runner.plan.types import Stage
    from runner.recipe.types import Recipe
    from runner.run.outcome import Finished, Outcome
    from runner.store import Entry

_STYLES = {"met": "green", "undecided": "bold yellow", "MISSED": "bold red"}
"""A gate's verdict -> its style."""


class SafeConsole(Console):
    """A console on which text is only text: its controls are shown, and its brackets mean nothing."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """The pieces of what is shown, those of text made harmless."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(safe.terminal(segment.text), segment.style)


def make_console() -> Console:
    """The console for people, on standard output; plain text without a terminal."""
    return SafeConsole(file=sys.stdout, highlight=False, markup=False, emoji=False, soft_wrap=True)


def animated(console: Console) -> bool:
    """Whether lines can be taken back."""
    return console.is_terminal and not console.is_dumb_terminal


class StagesConsole:
    """Shows the stages of one run; a `Display`."""

    def __init__(self, console: Console, recipe: Recipe) -> None:
        self.console = console
        self.recipe = recipe
        self.width = 0
        self.bar: Progress | None = None
        self.task: TaskID | None = None

    def heading(self) -> None:
        """The recipe that runs, and what is worth knowing of it."""
        self.console.print(Text(self.recipe.name, style="bold"), end="")
        description = safe.line(self.recipe.description)
        self.console.print(Text(f"  {description}" if description else "", style="dim"))
        for note in self.recipe.notes:
            self.console.print(Text(f"  note: {safe.line(note)}", style="yellow"))

    def planned(self, graph: Graph, needed: Sequence[Stage]) -> None:
        """How much of the plan is there already."""
        self.width = max(len(stage.label) for stage in graph.stages.values())
        done = len(graph.stages) - len(needed)
        if done:
            self._line("○", "dim", f"{plural(done, 'stage')} done before, not repeated", "")

    def warned(self, sentence: str) -> None:
        """A line before the first stage."""
        self.console.print(Text(f"  note: {safe.line(sentence)}", style="yellow"))

    def started(self, stage: Stage, worker: str) -> None:
        """Show that a stage runs; only on a terminal, where the line can be taken back."""
        self._stop()
        if animated(self.console):
            label = TextColumn("{task.description}", markup=False)
            columns = (SpinnerColumn(), label, BarColumn(24), TimeElapsedColumn())
            self.bar = Progress(*columns, console=self.console, transient=True)
            self.task = self.bar.add_task(stage.label, total=None)
            self.bar.start()

    def waiting(self, stage: Stage) -> None:
        """Say why nothing happens."""
        self.console.print(f"  … another run is making: {stage.label}; waiting for it")

    def progress(self, stage: Stage, done: int, total: int) -> None:
        """Move the bar."""
        if self.bar is not None and self.task is not None:
            self.bar.update(self.task, completed=done, total=total)

    def finished(self, stage: Stage, entry: Entry, reused: bool) -> None:
        """The stage's line."""
        self._stop()
        cost = f"{seconds(entry.record['seconds']):>9}  {megabytes(entry.record['peak_memory']):>8} peak"
        mark, style, rest = ("○", "dim", "cached") if reused else ("✓", "green", cost)
        self._line(mark, style, stage.label, rest)
        for note in entry.result.get("notes", ()):
            self.console.print(Text(f"    note: {safe.line(note)}", style="yellow"))

    def failed(self, stage: Stage, error: OvrunError) -> None:
        """The line of a stage that did not finish."""
        self._stop()
        self._line("✗", "red", stage.label, "")

    def point(self, outcome: Outcome) -> None:
        """Its end is told by the summary."""

    def close(self) -> None:
        """Leave the terminal as it was."""
        self._stop()

    def ended(self, run: Finished) -> None:
        """What came of it is told elsewhere."""

    def _line(self, mark: str, style: str, label: str, rest: str) -> None:
        self.console.print(Text(f"  {mark} ", style=style).append(f"{label:<{self.width}} {rest}".rstrip(), style=""))

    def _stop(self) -> None:
        if self.bar is not None:
            self.bar.stop()
            self.bar = self.task = None


class RunConsole(StagesConsole):
    """Shows one run and what came of it; a `RunDisplay`."""

    end: Finished | None = None

    def ended(self, run: Finished) -> None:
        """What was made, how big it is, what each check measured, and where it lies."""
        self.close()
        self.end = run
        (outcome,) = run.points
        assert outcome.path is not None
        manifest = read_manifest(outcome.path)
        self.console.print()
        self._headline(outcome.status, outcome.path, run.seconds)
        if manifest is not None:
            self._sizes(manifest["size"])
        for line, met in check_lines(manifest["checks"] if manifest else []):
            text = Text(f"  {line}  ")
            self.console.print(text.append(met, style=_STYLES[met]))
        if run.log is not None:
            self.console.print(Text(f"  log      {shown(run.log)}", style="dim"))

    def _headline(self, status: Status, path: Path, duration: float) -> None:
        words = {
            Status.PUBLISHED: ("Published", "bold green"),
            Status.UP_TO_DATE: ("Up to date:", "bold green"),
            Status.REJECTED: ("Not published, a gate was missed; kept in", "bold red"),
            Status.UNDECIDED: ("Not published, undecided; kept in", "bold yellow"),
        }
        word, style = words[status]
        self.console.print(Text(word, style=style), Text(str(shown(path)), style="bold"), end="")
        self.console.print(Text(f"  in {seconds(duration)}", style="dim"))

    def _sizes(self, size: SizeRecord) -> None:
        text = f"  size     {megabytes(size['optimized'])}"
        if size["converted"] and size["converted"] != size["optimized"]:
            ratio = size["optimized"] / size["converted"]
            text += f", {ratio:.2f} x the converted model ({megabytes(size['converted'])})"
        self.console.print(text)
        for line in part_lines(size):
            self.console.print(Text(f"             {line}", style="dim"))


def shown(path: Path) -> Path:
    """A path as short as it can be said from here."""
    try:
        return path.resolve().relative_to(Path.cwd())
    except (ValueError, OSError):
        return path
