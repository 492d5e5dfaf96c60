"""Settings that need calibration data: what the first costs, and what a second costs over the statistics of the first.

The model is a GPT-2 of 124 M random weights. The first setting is compared with NNCF collecting its statistics by
itself in a fresh process, which loads nothing to verify it. All ratios leave out the conversion, which both share.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from bench.measure import run
from bench.memory import WITHOUT_TORCH, alone, converted
from bench.run import BIN, OFFLINE, show, verdict

RECIPE = """\
name: bench
model: {{source: openvino, path: {model}}}
datasets: {{text: {{source: embedded, id: dialogue-train, column: text}}}}
compression:
  algorithm: weight_compression
  mode: int4_sym
  group_size: 128
  dataset: text
  subset_size: {samples}
  scale_estimation: true
"""
NNCF = "mode=nncf.CompressWeightsMode.INT4_SYM, group_size=128, scale_estimation=True"
SECOND = ("compression.mode=int4_asym", "+compression.ratio=0.8")


def main() -> None:
    """Measure, print, and check against the targets."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=128, help="for calibration; 128 is NNCF's default")
    parser.add_argument("--model", type=Path, help="a folder with a model's IR, in place of the GPT-2")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ovrun-bench-") as name:
        work = Path(name)
        model = chosen.model or converted(work, "fp16")
        (work / "bench.yaml").write_text(RECIPE.format(model=model, samples=chosen.samples))
        optimize(work, "~compression.dataset", "~compression.subset_size", "~compression.scale_estimation")
        print("the first setting:")
        first = optimize(work)
        print("the second setting:")
        second = optimize(work, *SECOND)
        print("the first setting, by NNCF alone:")
        bare = alone(work, model, WITHOUT_TORCH, NNCF, chosen.samples)
        show("NNCF", bare)
        verdict("a second setting against the first, wall", second[0] / first[0], 0.7, " x")
        verdict("a second setting against the first, CPU", second[1] / first[1], 0.7, " x")
        verdict("the first setting against NNCF alone, wall", first[0] / bare.wall, 1.1, " x")
        verdict("the first setting against NNCF alone, CPU", first[1] / bare.cpu, 1.1, " x")


def optimize(work: Path, *overrides: str) -> tuple[float, float]:
    """Seconds of wall and CPU time of a run."""
    cost = run([str(BIN / "ovrun"), "optimize", "bench.yaml", *overrides], work, work / "log.txt", OFFLINE)
    show("ovrun", cost)
    versions = sorted((work / "outputs/bench").glob("[0-9]*"), key=lambda path: int(path.name))
    for stage in json.loads((versions[-1] / "manifest.json").read_text())["stages"]:
        print(f"      {stage['label']:<32} {stage['seconds']:6.2f} s  {stage['cpu_seconds']:6.2f} CPU s")
    return cost.wall, cost.cpu


if __name__ == "__main__":
    main()
