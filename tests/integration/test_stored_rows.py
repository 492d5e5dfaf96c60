"""Stored outputs of a reference are read from disk in parts."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np

from runner.metrics.stored import RowFile

READ = """
import sys
from pathlib import Path
from runner.metrics.stored import Rows
with Rows(Path(sys.argv[1])) as rows:
    total = sum(float(rows[start : start + 300].sum(dtype=float)) for start in range(0, rows.shape[0], 300))
peak = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
print(total, int(peak.split()[1]) // 1000)
"""


def test_a_stored_reference_is_not_held_in_memory(tmp_path: Path) -> None:
    """All of a sparse file of 600 MB is read by a process of its own."""
    with RowFile(tmp_path / "a.npy", np.float16) as file:
        file.append(np.ones((1, 50_000), np.float16))
        start = file.shape
        file.shape = (6000, 50_000)
    assert start == (1, 50_000)
    os.truncate(tmp_path / "a.npy", 128 + 6000 * 50_000 * 2)
    done = subprocess.run([sys.executable, "-c", READ, str(tmp_path / "a.npy")], capture_output=True, text=True)
    total, megabytes = done.stdout.split()
    assert float(total) == 50_000, done.stderr
    assert int(megabytes) < 300
