"""How long `ovrun plan` takes for sweeps of more and more points, and how much memory.

    python bench/sweep_plan.py [--json]

Every point has its gates: seven stages, four of them its own.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench import measure

RECIPE = "dialogpt-mini-int4"
MODES = "compression.mode=int4_sym,int4_asym"
GROUPS = "compression.group_size=16,32,64,128,-1"
SWEEPS = {
    12: (MODES, "compression.ratio=0.6,0.8,1.0", "compression.group_size=32,128"),
    1_000: (MODES, "compression.ratio=range(0.01,1.01,0.01)", GROUPS),
    10_000: (MODES, "compression.ratio=range(0.001,1.001,0.001)", GROUPS),
}
LIMITS = {12: (1.5, 500e6), 1_000: (5.0, 500e6), 10_000: (30.0, 500e6)}
"""Points -> seconds and bytes that are allowed."""


def measured(points: int, folder: Path) -> dict[str, Any]:
    """Wall and CPU seconds and peak memory of a plan."""
    command = [sys.executable, "-m", "runner", "plan", RECIPE, *SWEEPS[points], "--outputs", str(folder / "outputs")]
    log = folder / f"{points}.log"
    cost = measure.run(command, Path.cwd(), log)
    told = next(line for line in log.read_text(encoding="utf-8").splitlines() if " distinct, " in line)
    seconds, size = LIMITS[points]
    within = cost.wall <= seconds and cost.peak_one <= size
    return {"told": told, "wall": cost.wall, "cpu": cost.cpu, "peak": cost.peak_one, "within": within}


def main() -> int:
    """Measure all; the exit code is 1 if a limit is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rows = {points: measured(points, Path(folder)) for points in SWEEPS}
    if arguments.json:
        print(json.dumps(rows, indent=2))
    else:
        for points, row in rows.items():
            limit = LIMITS[points]
            cost = f"{row['wall']:6.2f} s wall, {row['cpu']:6.2f} s CPU, {row['peak'] / 1e6:4.0f} MB"
            print(f"{points:>6} points: {cost}  (at most {limit[0]:g} s, {limit[1] / 1e6:.0f} MB)  {row['told']}")
    return 0 if all(row["within"] for row in rows.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
