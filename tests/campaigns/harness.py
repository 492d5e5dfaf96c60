"""What all campaigns share: numbered cases from a seed, the command line under watch and limits, and the verdict.

A campaign is a module of this folder:

    def case(trial: Trial) -> None:
        (trial.folder / "r.yaml").write_text(mutated(trial.random))
        trial.note("what was done to it")
        trial.run("validate", "r.yaml", codes=(0, 2))

    CAMPAIGN = Campaign("recipes", 10_000, case)

    if __name__ == "__main__":
        sys.exit(harness.main(CAMPAIGN))

Case N of seed S is the same everywhere: its random numbers come from `random.Random("S:N")`.
"""

from __future__ import annotations

import argparse
import math
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.campaigns import pool
from tests.campaigns.trial import Trial

__all__ = ["Campaign", "Result", "Trial", "main", "run"]


@dataclass(frozen=True)
class Campaign:
    """Many cases of one kind.

    Attributes:
        name: the module's name.
        count: how many cases the whole campaign has.
        case: makes one case, runs it and complains; must use no random numbers but `trial.random`.
        prepare: fills `trial.shared` once, before all cases.
        warm: modules that a worker imports first, so that no case pays for them.
        seconds: of computing that one `trial.run` may take; a slower case is tried once more before that counts.
        megabytes: how much a worker and what it started may grow while a case runs.
        patience: what a whole case may take, with all that it prepares.
        jobs: how many run side by side, where that matters.
        impossible: says why no case can be tried on this machine, if so; then none is, and none counts as passed.
    """

    name: str
    count: int
    case: Callable[[Trial], None]
    prepare: Callable[[Path], None] | None = None
    warm: tuple[str, ...] = ()
    seconds: float = 5
    megabytes: int = 500
    patience: float = 60
    jobs: int | None = None
    impossible: Callable[[], str | None] | None = None

    @property
    def module(self) -> str:
        """Where a worker finds it."""
        return self.case.__module__


@dataclass
class Result:
    """What came of a campaign's cases."""

    name: str
    wanted: int
    seed: int
    done: int = 0
    seconds: float = 0
    slowest: tuple[float, int] = (0, 0)
    largest: tuple[float, int] = (0, 0)
    failures: list[tuple[int, list[str]]] = field(default_factory=list)

    def add(self, verdict: pool.Verdict) -> None:
        """Count a case."""
        self.done += 1
        self.slowest = max(self.slowest, (verdict.seconds, verdict.number))
        self.largest = max(self.largest, (verdict.megabytes, verdict.number))
        if verdict.complaints:
            self.failures.append((verdict.number, verdict.complaints))

    def __str__(self) -> str:
        cases = f"{self.done:,} cases" if self.done == self.wanted else f"{self.done:,} of {self.wanted:,} cases"
        return (
            f"{cases}, {len(self.failures)} failures; slowest {self.slowest[0]:.2f} s (case {self.slowest[1]}), "
            f"largest {self.largest[0]:.0f} MB (case {self.largest[1]})"
        )


def run(campaign: Campaign, options: argparse.Namespace) -> Result:
    """Run the cases that the options ask for; failures are told as they come."""
    numbers = [options.only] if options.only is not None else range(math.ceil(_count(campaign, options)))
    result = Result(campaign.name, len(numbers), options.seed)
    if why := campaign.impossible and len(numbers) and campaign.impossible():
        print(f"{campaign.name}: none of its {len(numbers)} cases can be tried here: {why}", flush=True)
        return result
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix=f"campaign-{campaign.name}-", ignore_cleanup_errors=True) as folder:
        base = Path(options.keep or folder).resolve()
        base.mkdir(parents=True, exist_ok=True)
        shared = base / "shared"
        shared.mkdir(exist_ok=True)
        if campaign.prepare and len(numbers):
            campaign.prepare(shared)
        limits = (campaign.seconds, campaign.megabytes, campaign.patience)
        task = pool.Task(campaign.module, campaign.warm, base, shared, options.seed, options.keep is not None, *limits)
        until = began + options.minutes * 60
        for verdict in pool.judge(task, numbers, options.jobs or campaign.jobs or os.cpu_count() or 1, until):
            result.add(verdict)
            if verdict.complaints:
                print(_story(campaign, result.seed, verdict), flush=True)
    result.seconds = time.monotonic() - began
    return result


def _count(campaign: Campaign, options: argparse.Namespace) -> float:
    return options.count if options.count is not None else campaign.count * options.share  # type: ignore[no-any-return]


def _story(campaign: Campaign, seed: int, verdict: pool.Verdict) -> str:
    lines = [f"{campaign.name}: case {verdict.number} failed", *(f"  {line}" for line in verdict.complaints)]
    lines += [f"  of {note}" for note in verdict.notes]
    repeat = f"python -m tests.campaigns.{campaign.name} --seed {seed} --only {verdict.number} --keep FOLDER"
    return "\n".join([*lines, f"  again: {repeat}"])


def options(parser: argparse.ArgumentParser) -> None:
    """The options of one campaign, which are those of all together too."""
    parser.add_argument("--seed", type=int, default=0, help="which cases (default: 0)")
    parser.add_argument("--count", type=int, help="how many cases, in place of the campaign's own number")
    parser.add_argument("--share", type=float, default=1.0, help="which share of the campaign's cases (default: 1)")
    parser.add_argument("--only", type=int, metavar="N", help="this case alone")
    parser.add_argument("--minutes", type=float, default=math.inf, help="start no case after so many minutes")
    parser.add_argument("--jobs", type=int, help="how many side by side")
    parser.add_argument("--keep", metavar="FOLDER", help="work in this folder, and leave what the cases made")


def main(campaign: Campaign, argv: Sequence[str] | None = None) -> int:
    """One campaign as a program: 0 if no case failed."""
    parser = argparse.ArgumentParser(prog=f"python -m tests.campaigns.{campaign.name}")
    options(parser)
    result = run(campaign, parser.parse_args(argv))
    print(f"{campaign.name}: {result} in {result.seconds:.0f} s")
    return bool(result.failures)
