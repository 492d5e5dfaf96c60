"""Rounds of eight runs at once, of the same and of overlapping recipes, on one store: work is done once, as alone."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from tests.campaigns import harness, traces
from tests.campaigns.harness import Campaign, Trial

RUNS = 8
WORDS = (
    ("optimize", "digits-int8"),
    ("optimize", "digits-int8", "compression.subset_size=10"),
    ("sweep", "digits-int8", "compression.subset_size=10,20"),
    ("sweep", "digits-int8", "compression.subset_size=20,30"),
    ("sweep", "digits-int8", "compression.subset_size=10,30", "--jobs", "2"),
)
WEIGHTS = (4, 3, 3, 3, 1)


def prepare(shared: Path) -> None:
    """What each run comes to alone."""
    for words in WORDS[:4]:
        subprocess.run(traces.ovrun(shared / "outputs", *words), cwd=traces.PROJECT, check=True)


def case(trial: Trial) -> None:
    """One round."""
    outputs, shared = trial.folder / "outputs", trial.shared / "outputs"
    if trial.random.random() < 0.8:
        traces.copied_store(trial.shared, outputs, trial)
    before = set(traces.entries(outputs, trial))
    chosen = trial.random.choices(WORDS, WEIGHTS, k=RUNS)
    runs = []
    for words in chosen:
        trial.note(" ".join(words))
        runs.append(traces.start(traces.ovrun(outputs, *words)))
        time.sleep(trial.random.choice((0, 0, 0.1, 0.5)))
    relatives = [process for run in runs for process in traces.family(run.pid)]
    for run in runs:
        traces.ended(run, trial)
    traces.no_orphans(relatives, trial)
    _judge(outputs, shared, before, trial)


def _judge(outputs: Path, shared: Path, before: set[str], trial: Trial) -> None:
    alone, made = traces.entries(shared, trial), traces.entries(outputs, trial)
    if not made.items() <= alone.items():
        trial.complain("an entry is not what a run alone makes")
    published = traces.versions(outputs, trial)
    if not published or not set(published) <= set(traces.versions(shared, trial)):
        trial.complain(f"published what no run alone publishes: {published}")
    folders = len(list(outputs.glob("*/[0-9]*")))
    if folders != len(published):
        trial.complain(f"{folders} versions for {len(published)} models")
    logs = b"".join(path.read_bytes() for path in (outputs / ".logs").rglob("*.log"))
    ran = logs.count(b"\n--- ") - logs.count(b"\n--- compare ")  # which ends a conversion
    if ran != len(set(made) - before):
        trial.complain(f"{ran} stages ran for {len(set(made) - before)} entries")
    traces.nothing_left(outputs, trial)


CAMPAIGN = Campaign("concurrent", 20, case, prepare, megabytes=16000, patience=900, jobs=1)

if __name__ == "__main__":
    sys.exit(harness.main(CAMPAIGN))
