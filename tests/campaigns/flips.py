"""A published version with one thing changed: `ovrun verify` finds each, and nothing in one that was only copied."""

from __future__ import annotations

import random
import shutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from runner.base import files as fs
from tests.artifacts import Project
from tests.campaigns import harness
from tests.campaigns.harness import Campaign, Trial

WHOLE_EVERY = 50
"""Each so many cases change nothing."""


def prepare(shared: Path) -> None:
    """Publish the version that all cases copy."""
    Project(shared, value=0.05).publish()


def _flip(files: Sequence[Path], chance: random.Random) -> str:
    path = chance.choice([file for file in files if file.stat().st_size])
    content = bytearray(path.read_bytes())
    at, by = chance.randrange(len(content)), chance.randrange(1, 256)
    content[at] ^= by
    path.write_bytes(content)
    return f"{path.name}: byte {at} changed by {by}"


def _truncate(files: Sequence[Path], chance: random.Random) -> str:
    path = chance.choice([file for file in files if file.stat().st_size])
    content = path.read_bytes()
    at = chance.randrange(len(content))
    path.write_bytes(content[:at])
    return f"{path.name}: cut at {at}"


def _append(files: Sequence[Path], chance: random.Random) -> str:
    path = chance.choice(files)
    more = chance.choice([b"\n", b" ", b"\0", chance.randbytes(chance.randrange(1, 5000))])
    path.write_bytes(path.read_bytes() + more)
    return f"{path.name}: {len(more)} bytes more"


def _remove(files: Sequence[Path], chance: random.Random) -> str:
    path = chance.choice(files)
    path.unlink()
    return f"{path.name}: removed"


def _add(files: Sequence[Path], chance: random.Random) -> str:
    near = chance.choice(files)
    path = near.with_name(chance.choice([".hidden", "openvino_model2.bin", f"{near.name}~", "ü", "a\nb"]))
    path.write_bytes(chance.randbytes(chance.randrange(3)))
    return f"{path.name}: added"


def _swap(files: Sequence[Path], chance: random.Random) -> str:
    one, other = chance.sample(files, 2)
    content = one.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(content)
    return f"{one.name} and {other.name}: swapped"


def _move(files: Sequence[Path], chance: random.Random) -> str:
    path = chance.choice(files)
    target = path.with_name(f"{path.name}.old")
    path.rename(target)
    if chance.random() < 0.5:
        path.symlink_to(target.name)
    return f"{path.name}: moved, perhaps with a link in its place"


CHANGES: Sequence[tuple[Callable[[Sequence[Path], random.Random], str], int]] = (
    (_flip, 70),
    *((change, 5) for change in (_truncate, _append, _remove, _add, _swap, _move)),
)


def case(trial: Trial) -> None:
    """Copy the version, change it, and hold what is said of it against that."""
    folder = trial.folder / "1"
    shutil.copytree(Project(trial.shared).home / "1", folder)
    files = list(fs.walk(folder))
    for path in files:
        path.chmod(0o644)
    whole = trial.number % WHOLE_EVERY == 0
    if not whole:
        (change,) = trial.random.choices([one for one, _ in CHANGES], [weight for _, weight in CHANGES])
        trial.note(change(files, trial.random))
    outcome = trial.run("verify", "./1", codes=(0,) if whole else (4,))
    if ("damaged" in outcome.out) == whole:
        trial.complain(f"said: {outcome.out[:300]}")


CAMPAIGN = Campaign("flips", 2_000, case, prepare, warm=("runner.commands.verify", "runner.artifact.checkup"))

if __name__ == "__main__":
    sys.exit(harness.main(CAMPAIGN))
