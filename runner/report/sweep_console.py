"""A sweep on the console: one live table on a terminal, plain lines elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from runner.artifact.status import Status
from runner.base.figures import megabytes, number, seconds
from runner.base.words import plural
from runner.report.console import animated
from runner.report.sweep_progress import Activity, SweepProgress, short

if TYPE_CHECKING:
    from runner.errors import OvrunError
    from runner.plan.graph import Graph
    from runner.plan.types import Stage
    from runner.recipe.types import Sweep
    from runner.run.outcome import Finished, Outcome
    from runner.store import Entry

_MARKS = {
    Status.PUBLISHED: ("✓", "green"),
    Status.UP_TO_DATE: ("○", "dim"),
    Status.READY: ("○", "green"),
    Status.NOT_SELECTED: ("·", "dim"),
    Status.REJECTED: ("✗", "yellow"),
    Status.UNDECIDED: ("?", "yellow"),
    Status.FAILED: ("✗", "red"),
    Status.NOT_RUN: ("-", "red"),
}
_MEASURED = (Status.PUBLISHED, Status.REJECTED, Status.UNDECIDED, Status.READY)
_MOST_WORKERS = 12
"""Lines of the live table that workers take; the others are counted."""


class SweepConsole:
    """Shows one sweep to a person; a `Display`."""

    def __init__(self, console: Console, sweep: Sweep) -> None:
        self.console, self.sweep = console, sweep
        self.state = SweepProgress()
        self.live: Live | None = None

    def planned(self, graph: Graph, needed: Sequence[Stage]) -> None:
        """How much there is to do, and how much of it is shared or done."""
        self.state.plan(graph, needed)
        done = len(graph.stages) - len(needed)
        self.console.print(Text(self.sweep.name, style="bold"), end="")
        counts = f"  {plural(self.state.points, 'point')}, {plural(graph.total, 'stage')}, {len(graph.stages)} distinct"
        before = f", {done} not needed or done before" if done else ""
        self.console.print(Text(f"{counts}{before}, {len(needed)} to run", style="dim"))
        if animated(self.console) and needed:
            self.live = Live(get_renderable=self._table, console=self.console, refresh_per_second=4, transient=True)
            self.live.start()

    def warned(self, sentence: str) -> None:
        """A line before the first stage."""
        self.console.print(Text(f"  note: {sentence}", style="yellow"))

    def started(self, stage: Stage, worker: str) -> None:
        """A worker begins a stage."""
        self.state.start(stage, worker)

    def waiting(self, stage: Stage) -> None:
        """Say why nothing happens."""
        self.console.print(Text(f"  … another run is making: {stage.label}; waiting for it"))

    def progress(self, stage: Stage, done: int, total: int) -> None:
        """Move a bar."""
        self.state.move(stage, done, total)

    def finished(self, stage: Stage, entry: Entry, reused: bool) -> None:
        """A line for each stage, where there is no live table."""
        self.state.finish(stage, entry, reused)
        if self.live is None:
            cost = f"{seconds(entry.record['seconds'])}, {megabytes(entry.record['peak_memory'])} peak"
            self._stage(stage, "made by another run" if reused else cost)

    def failed(self, stage: Stage, error: OvrunError) -> None:
        """What went wrong, at once, with its log."""
        self.state.drop(stage)
        self.console.print(Text(f"  ✗ {stage.label}  {self.state.whose(stage)}: {error.message}", style="red"))
        if error.log is not None:
            self.console.print(Text(f"    log: {error.log}", style="dim"))

    def point(self, outcome: Outcome) -> None:
        """The line of a point that has come to its end."""
        self.state.point(outcome)
        if outcome.status != Status.NOT_SELECTED and (self.live is None or outcome.status != Status.UP_TO_DATE):
            mark, style = _MARKS[outcome.status]
            line = Text(f"  {mark} ", style=style).append(short(outcome.point.name), style="default")
            self.console.print(line.append(f"  {outcome.status}{_result(outcome)}", style="dim"))

    def close(self) -> None:
        """Leave the terminal as it was."""
        if self.live is not None:
            self.live.stop()
            self.live = None

    def ended(self, run: Finished) -> None:
        """How many points came to which end."""
        self.close()
        counts = ", ".join(f"{count} {status}" for status, count in self.state.statuses.most_common())
        what = f"{plural(len(run.points), 'point')}: {counts}"
        self.console.print()
        self.console.print(Text(what, style="bold"), end="")
        ran = f"  in {seconds(run.seconds)}, {plural(len(run.ran), 'stage')} run"
        self.console.print(Text(ran, style="dim"))

    def _stage(self, stage: Stage, rest: str) -> None:
        place = f"[{self.state.finished}/{self.state.needed}]"
        self.console.print(Text(f"  {place} {stage.label}  {self.state.whose(stage)}  {rest}"))

    def _table(self) -> Group:
        """Points on the first line, stages with the time left on the second, then what each worker does."""
        state = self.state
        counts = Text(f"  points  {len(state.ends)} of {state.points} done", style="bold")
        for status, count in sorted(state.statuses.items()):
            counts.append(f" · {count} {status}", style=_MARKS[status][1])
        running = plural(len(state.workers), "stage")
        left = state.seconds_left()
        bar = Table.grid(padding=(0, 1))
        until = "" if left is None else f" · about {seconds(left)} left"
        bar.add_row("  stages", _bar(state.finished, state.needed), f"{state.finished}/{state.needed}{until}")
        workers = Table.grid(padding=(0, 1))
        for name, activity in list(sorted(state.workers.items()))[:_MOST_WORKERS]:
            whose = state.whose(activity.stage)
            workers.add_row(Text(f"  {name or 'now'}"), _activity(activity), Text(activity.stage.label), Text(whose))
        more = len(state.workers) - _MOST_WORKERS
        rest = [Text(f"  … and {more} more", style="dim")] if more > 0 else []
        return Group(counts.append(f" · {running} running", style="dim"), bar, workers, *rest)


def _bar(done: int, total: int) -> ProgressBar:
    return ProgressBar(total=total or 1, completed=done, width=24)


def _activity(activity: Activity) -> ProgressBar:
    return ProgressBar(total=activity.total or None, completed=activity.done, width=12, pulse=not activity.total)


def _result(outcome: Outcome) -> str:
    if outcome.row is None or outcome.status not in _MEASURED:
        told = outcome.status == Status.FAILED  # with its stage, which other points may share
        return f": {outcome.reason.splitlines()[0]}" if outcome.reason and not told else ""
    size = f"  {megabytes(outcome.row['size'])}"
    checks = {check["metric"]: check["value"] for check in outcome.row["checks"]}
    measured = "".join(f"  {metric} {number(value)}" for metric, value in checks.items())
    return size + measured + (f"  {outcome.reason}" if outcome.reason else "")
