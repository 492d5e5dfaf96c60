"""Memory of the process that leads a sweep, at 12 and at 200 points of the embedded model; it should be the same.

python bench/sweep_memory.py
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

MODES = "compression.mode=int4_sym,int4_asym"
SWEEPS = {
    12: (MODES, "compression.ratio=0.6,0.8,1.0", "compression.group_size=32,128"),
    200: (MODES, "compression.ratio=range(0.51,1.01,0.01)", "compression.group_size=32,128"),
}
LEADER = """\
import resource, sys
from runner.cli import main
code = main(sys.argv[1:])
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024, file=sys.stderr)
sys.exit(code)
"""


def leader_memory(points: int, outputs: Path) -> int:
    """Peak resident memory in bytes of a sweep's own process, without its stages."""
    words = ["sweep", "dialogpt-mini-int4", *SWEEPS[points], "~accuracy", "--quiet", "--outputs", str(outputs)]
    done = subprocess.run([sys.executable, "-c", LEADER, *words], stderr=subprocess.PIPE, text=True, check=True)
    return int(done.stderr.split()[-1])


def main() -> None:
    """Measure both, and say how much the larger needs more."""
    with tempfile.TemporaryDirectory(prefix="ovrun-bench-") as name:
        few, many = (leader_memory(points, Path(name) / str(points)) for points in SWEEPS)
    print(f"  12 points   {few / 1e6:6.1f} MB\n  200 points  {many / 1e6:6.1f} MB  {many / few:.2f} x")


if __name__ == "__main__":
    main()
