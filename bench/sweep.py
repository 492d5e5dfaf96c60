"""`make bench-sweep`: a sweep of twelve points against twelve runs of `optimum-cli`, and the cost of a sweep's manners.

The model is a GPT-2 of 124 M random weights in a local folder; the points are mode x ratio x group size, without
checks. All twelve models are kept on both sides. Ratios of runs in turn on one machine.
"""

from __future__ import annotations

import argparse
import itertools
import shutil
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from bench.measure import Cost, run
from bench.run import BIN, OFFLINE, show, verdict
from tests.geometry import gpt2_folder

MODES, RATIOS, GROUP_SIZES = ("int4_sym", "int4_asym"), (0.6, 0.8, 1.0), (64, 128)
RECIPE = f"""\
name: bench-grid
model: {{{{source: local, path: {{model}}, task: text-generation-with-past}}}}
compression: {{{{algorithm: weight_compression, mode: int4_sym}}}}
sweep:
  compression.mode: [{", ".join(MODES)}]
  compression.ratio: [{", ".join(map(str, RATIOS))}]
  compression.group_size: [{", ".join(map(str, GROUP_SIZES))}]
"""


def main() -> None:
    """Measure, print, and check against the targets."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peers", type=int, default=12, help="how many of the twelve optimum-cli runs to make")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ovrun-bench-") as name:
        work = Path(name)
        gpt2_folder(work / "model", layers=12, hidden=768, vocab=50257, dtype="float32", seed=0)
        (work / "grid.yaml").write_text(RECIPE.format(model=work / "model"))
        one, two = ours(work, "one"), ours(work, "two", "--jobs", "2")
        show("ovrun sweep, 12 points", one)
        show("ovrun sweep --jobs 2", two)
        again = ours(work, "one")
        plan = run([str(BIN / "ovrun"), "plan", "grid.yaml", "--outputs", "one"], work, work / "log.txt", OFFLINE)
        shutil.rmtree(work / "one")
        shutil.rmtree(work / "two")
        peer = peers(work, chosen.peers)
        show("optimum-cli, 12 runs" if chosen.peers == 12 else f"optimum-cli, 12 runs by {chosen.peers} of them", peer)
        print()
        verdict("12 points, wall", one.wall / peer.wall, 0.33, " x")
        verdict("12 points, CPU", one.cpu / peer.cpu, 0.33, " x")
        verdict("12 points with --jobs 2, wall", two.wall / peer.wall, 0.22, " x")
        verdict("12 points with --jobs 2, CPU, of --jobs 1", two.cpu / one.cpu, 1.1, " x")
        verdict("the finished sweep again", again.wall, 2.0, " s")
        verdict("its plan", plan.wall, 1.5, " s")


def ours(work: Path, outputs: str, *words: str) -> Cost:
    """One sweep."""
    command = [str(BIN / "ovrun"), "sweep", "grid.yaml", "--outputs", outputs, *words]
    return run(command, work, work / "log.txt", OFFLINE)


def peers(work: Path, count: int) -> Cost:
    """The sum of the twelve runs; of the first `count`, scaled, if fewer are made."""
    costs = []
    for number, point in enumerate(itertools.islice(itertools.product(MODES, RATIOS, GROUP_SIZES), count)):
        mode, ratio, group_size = point
        command = [str(BIN / "optimum-cli"), "export", "openvino", "--task", "text-generation-with-past", "-m", "model"]
        command += ["--weight-format", "int4", *(["--sym"] if mode == "int4_sym" else [])]
        command += ["--ratio", str(ratio), "--group-size", str(group_size), f"peer{number}"]
        costs.append(run(command, work, work / "log.txt", OFFLINE))
        show(f"optimum-cli {mode} {ratio} {group_size}", costs[-1])
    scale = 12 / count
    wall, cpu = sum(cost.wall for cost in costs) * scale, sum(cost.cpu for cost in costs) * scale
    return Cost(wall, cpu, max(cost.peak for cost in costs), max(cost.peak_one for cost in costs))


if __name__ == "__main__":
    main()
