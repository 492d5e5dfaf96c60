"""Collecting while runs are under way, and after runs that died."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from runner.store import Store
from runner.store.collect import Rules, collect, remove
from runner.store.runs import needed_now
from tests import cheap
from tests.entries import gone, put
from tests.processes import ROOT


def test_the_note_of_a_run_that_died_does_not_count(tmp_path: Path) -> None:
    store = Store(tmp_path / ".store")
    key = put(store, 0)
    code = (
        "import os, sys; from pathlib import Path; from runner.store import Store; from runner.store.runs import *\n"
        "with under_way(Store(Path(sys.argv[1])), [sys.argv[2]]): os._exit(0)"
    )
    subprocess.run([sys.executable, "-c", code, str(store.root), key], check=True)
    assert len(list((store.root / "runs").glob("*.json"))) == 1
    assert needed_now(store) == set()
    assert gone(store, tmp_path) == {key}


def test_collecting_while_runs_work_costs_no_run(tmp_path: Path) -> None:
    """Two runs make the same stages again and again, while all that nobody needs is collected all the time."""
    code = (
        "import sys, pathlib; from tests import cheap; from runner.store.runs import under_way\n"
        "stages = cheap.points(3); folder = pathlib.Path(sys.argv[1]); store = cheap.store_in(folder)\n"
        "for _ in range(4):\n"
        "    with under_way(store, [one.key for one in stages]):\n"
        "        assert not any(cheap.execute(stages, folder, 0).values())\n"
        "        assert all(store.find(one.key) for one in stages)\n"
    )
    runs = [subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], cwd=ROOT) for _ in "ab"]
    store, rounds, removed = cheap.store_in(tmp_path), 0, []
    while any(run.poll() is None for run in runs):
        remove(store, collect(store, tmp_path, Rules()), removed.append)
        rounds += 1
    assert [run.returncode for run in runs] == [0, 0]
    assert rounds > 3
    gone(store, tmp_path)
    assert not list((store.root / "entries").glob("*/*")) and not list((store.root / "tmp").iterdir())
