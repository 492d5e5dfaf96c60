"""Full disks: what was published before stays whole, the words say what to do, and with room the run ends well.

Each case runs on a file system of its own whose room ends at one write of the run. Where that is, an undisturbed run on
the same kind of file system shows first: every rise of what it uses, in pages and in inodes, is a write that can fail
for want of room; and for those that reuse room, the disk is filled up from outside when the run has got so far.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.campaigns import harness, traces
from tests.campaigns.harness import Campaign, Trial
from tests.campaigns.trial import NEVER

Levels = tuple[int, int]
"""Pages and inodes that are used."""

AMPLE: Levels = (1 << 16, 1 << 16)
OPTIMIZE = ("optimize", "digits-int8")
SECOND = (*OPTIMIZE, "compression.subset_size=10")
SWEEP = ("sweep", "digits-int8", "compression.subset_size=10,20")
_GOLDEN = 0.6180339887
_FULL = ("the disk is full", "inodes are used up")


@dataclass(frozen=True)
class Scenario:
    """A run that meets a full disk.

    Attributes:
        weight: which share of the cases is its.
        words: the command; a graph of cheap stages if there are none.
        before: commands that have run before, when there was room.
        jobs: workers of the cheap graph.
    """

    weight: int
    words: tuple[str, ...] = ()
    before: tuple[tuple[str, ...], ...] = ()
    jobs: int = 0

    def command(self, outputs: Path) -> list[str]:
        """The command line."""
        return traces.ovrun(outputs, *self.words) if self.words else traces.cheap_run(outputs, self.jobs)


SCENARIOS = {
    "optimize": Scenario(18, OPTIMIZE),
    "second version": Scenario(10, SECOND, (OPTIMIZE,)),
    "sweep": Scenario(9, SWEEP),
    "sweep with workers": Scenario(5, (*SWEEP, "--jobs", "2")),
    "cheap graph": Scenario(7),
    "cheap graph with workers": Scenario(3, jobs=2),
    "up to date": Scenario(2, OPTIMIZE, (OPTIMIZE,)),
    "report": Scenario(3, ("report",), (OPTIMIZE, SWEEP)),
    "gc": Scenario(3, ("gc",), (OPTIMIZE, SECOND)),
}


@dataclass(frozen=True)
class Moment:
    """When there is no more room: beyond so many pages, so many inodes, or after so many steps of the run."""

    kind: str
    number: int


def impossible() -> str | None:
    """Why no case can be tried here, if so."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            with _disk(Path(folder), AMPLE):
                return None
        except (OSError, subprocess.CalledProcessError):
            return "it takes the right to mount a file system (tmpfs), as root has"


def prepare(shared: Path) -> None:
    """What each scenario starts from, where its writes are, and what it comes to when nobody disturbs it."""
    for name, scenario in SCENARIOS.items():
        home = shared / name
        (home / "before").mkdir(parents=True)
        for words in scenario.before:
            subprocess.run(traces.ovrun(home / "before" / "outputs", *words), cwd=traces.PROJECT, check=True)
        (home / "disk").mkdir()
        with _disk(home / "disk", AMPLE) as disk:
            outputs = _copied(home / "before", disk)
            seen = [_used(disk)]
            run = traces.start(scenario.command(outputs), OVRUN_PREFLIGHT="off")
            _follow(run, disk, seen.append)
            if run.returncode:
                raise subprocess.CalledProcessError(run.returncode, run.args, stderr=run.stderr and run.stderr.read())
            _copied(disk, home / "after")
        (home / "moments.json").write_text(json.dumps([vars(moment) for moment in _moments(seen)]))


def _moments(seen: list[Levels]) -> Iterator[Moment]:
    """Every moment at which room can end, by what an undisturbed run was seen to use."""
    for index, kind in enumerate(("pages", "inodes")):
        highest = seen[0][index]
        for levels in seen:
            if levels[index] > highest:
                yield Moment(kind, max(highest, 1))  # of none at all there would be no end
                highest = levels[index]
    for step in range(len(seen)):
        yield Moment("steps", step)


def case(trial: Trial) -> None:
    """One full disk, and the same run again when there is room."""
    name, scenario, moment = _chosen(trial)
    trial.note(f"{name}: no more room after {moment.number} {moment.kind}")
    home = trial.shared / name
    (trial.folder / "disk").mkdir()
    with _disk(trial.folder / "disk", AMPLE) as disk:
        outputs = _copied(home / "before", disk)
        before = traces.versions(outputs, trial)
        _disturb(scenario, moment, outputs, trial)
        _hold(home, outputs, before, trial)
        _limit(disk, AMPLE)
        if traces.ended(traces.start(scenario.command(outputs)), trial):
            _compare(home, outputs, trial)


def _chosen(trial: Trial) -> tuple[str, Scenario, Moment]:
    """A moment of some scenario: the cases, however many there are, lie evenly over all of them."""
    place = (trial.number * _GOLDEN + trial.random.random() / 100) % 1 * sum(one.weight for one in SCENARIOS.values())
    for name, scenario in SCENARIOS.items():
        if place < scenario.weight:
            moments = json.loads((trial.shared / name / "moments.json").read_text())
            return name, scenario, Moment(**moments[int(place / scenario.weight * len(moments))])
        place -= scenario.weight
    raise AssertionError


def _disturb(scenario: Scenario, moment: Moment, outputs: Path, trial: Trial) -> None:
    """Run into the end of the room, and judge how that is told."""
    disk, steps = outputs.parent, 0

    def note(levels: Levels) -> None:
        nonlocal steps
        if moment.kind == "steps" and steps == moment.number:
            _fill(disk)
        steps += 1

    if moment.kind == "pages":
        _limit(disk, (moment.number, AMPLE[1]))
    elif moment.kind == "inodes":
        _limit(disk, (AMPLE[0], moment.number))
    else:
        note(_used(disk))
    run = traces.start(scenario.command(outputs))
    relatives = _follow(run, disk, note)
    assert run.stderr is not None
    told = run.stderr.read().decode(errors="replace")
    trial.note(f"exit code {run.returncode}: {told.strip()[:1500]}")
    traces.no_orphans(relatives, trial)
    for words in _unfit(scenario, run.returncode, told, disk):
        trial.complain(f"{words}: exit code {run.returncode}, {told.strip()[:1500]}")
    with contextlib.suppress(FileNotFoundError):
        (disk / "filler").unlink()


def _unfit(scenario: Scenario, code: int, told: str, disk: Path) -> Iterator[str]:
    """What is wrong with how a full disk was told; a run that only could not remember something may do without."""
    if found := [words for words in NEVER if words in told]:
        yield f"told {found}"
    if code == 0:
        return
    if code != (5 if scenario.words else 1):
        yield "not the exit code of a full disk"
    if scenario.words and not any(words in told for words in _FULL):
        yield "does not say that the disk is full"
    if scenario.words and (str(disk) not in told or "--outputs" not in told):
        yield "does not say where, or what would help"


def _hold(home: Path, outputs: Path, before: dict[str, str], trial: Trial) -> None:
    """What is seen after the failure is whole, and what was published before is there."""
    made, whole = traces.entries(outputs, trial), traces.entries(home / "after" / "outputs", trial)
    earlier = traces.entries(home / "before" / "outputs", trial)
    if not made.items() <= (whole | earlier).items():
        trial.complain("an entry is not what an undisturbed run makes")
    published = traces.versions(outputs, trial)
    if not before.items() <= published.items():
        trial.complain(f"of {before} only {published} is there")
    if not published.keys() <= traces.versions(home / "after" / "outputs", trial).keys():
        trial.complain(f"published {published}, which no undisturbed run does")
    traces.nothing_left(outputs, trial)


def _compare(home: Path, outputs: Path, trial: Trial) -> None:
    """Whether a run that went on ended as an undisturbed one."""
    alone = home / "after" / "outputs"
    if traces.entries(outputs, trial) != traces.entries(alone, trial):
        trial.complain("the entries are not those of an undisturbed run")
    if traces.versions(outputs, trial).keys() != traces.versions(alone, trial).keys():
        trial.complain("the versions are not those of an undisturbed run")
    pages = [(folder / "report.html").is_file() for folder in (outputs, alone)]
    if pages[0] != pages[1]:
        trial.complain("no report was written")
    traces.nothing_left(outputs, trial)


def _follow(run: subprocess.Popen[bytes], disk: Path, note: Callable[[Levels], object]) -> list[psutil.Process]:
    """Note each change of what is used, until the run ends; all processes that it was seen to start."""
    relatives: dict[int, psutil.Process] = {}
    last, looked, until = _used(disk), 0.0, time.monotonic() + traces.PATIENCE
    while run.poll() is None and time.monotonic() < until:
        now = _used(disk)
        if now != last:
            last = now
            note(now)
        if time.monotonic() - looked > 0.1:
            looked = time.monotonic()
            relatives |= {one.pid: one for one in traces.family(run.pid)}
        time.sleep(0.0002)
    if run.poll() is None:
        run.kill()
        run.wait()
    return list(relatives.values())


def _used(disk: Path) -> Levels:
    found = os.statvfs(disk)
    return found.f_blocks - found.f_bfree, found.f_files - found.f_ffree


def _fill(disk: Path) -> None:
    """Take all room that is left; a folder needs some too, but no more than the inode that it has."""
    with (disk / "filler").open("wb") as stream:
        while free := os.statvfs(disk).f_bfree:
            with contextlib.suppress(OSError):  # the run takes some of it at the same time
                os.posix_fallocate(stream.fileno(), os.fstat(stream.fileno()).st_size, free * 4096)


@contextlib.contextmanager
def _disk(place: Path, room: Levels) -> Iterator[Path]:
    """A file system of its own in an empty folder."""
    _mount(place, room, "-t", "tmpfs", "-o", "size={},nr_inodes={}", "disk")
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


def _limit(place: Path, room: Levels) -> None:
    _mount(place, room, "-o", "remount,size={},nr_inodes={}")


def _mount(place: Path, room: Levels, *words: str) -> None:
    filled = [word.format(room[0] * 4096, room[1]) for word in words]
    subprocess.run(["mount", *filled, str(place)], check=True, stderr=subprocess.DEVNULL)


def _copied(source: Path, target: Path) -> Path:
    """The outputs below a folder, with their times and links, in another."""
    target.mkdir(exist_ok=True)
    if (source / "outputs").exists():
        subprocess.run(["cp", "-a", str(source / "outputs"), str(target)], check=True)
    return target / "outputs"


CAMPAIGN = Campaign("disks", 60, case, prepare, megabytes=8000, patience=900, impossible=impossible)

if __name__ == "__main__":
    sys.exit(harness.main(CAMPAIGN))
