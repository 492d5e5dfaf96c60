"""`make bench`: ovrun against `optimum-cli`, in turn on this machine.

The model is a GPT-2 of 124 M random weights in a local folder. The script prints ratios: these hold from machine to
machine, seconds don't. Both sides run as their users run them, from the shell.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from bench.measure import Cost, run
from tests.geometry import gpt2_folder

BIN = Path(sys.executable).parent
RECIPE = """\
name: bench
model: {{source: local, path: {model}, task: text-generation-with-past}}
conversion: {{precision: {precision}}}
compression: {{algorithm: weight_compression, mode: int4_sym, ratio: 0.8, group_size: 128}}
"""
PEER = "export openvino --task text-generation-with-past --weight-format int4 --sym --ratio 0.8 --group-size 128"
OFFLINE = {"HF_HUB_OFFLINE": "1"}


def main() -> None:
    """Measure, print, and check against the targets."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="pairs of cold runs")
    parser.add_argument("--dtype", default="float32", choices=("float32", "float16"), help="of the model's weights")
    parser.add_argument("--precision", default="fp16", choices=("fp16", "fp32"), help="of the converted model")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ovrun-bench-") as name:
        work = Path(name)
        gpt2_folder(work / "model", layers=12, hidden=768, vocab=50257, dtype=chosen.dtype, seed=0)
        (work / "bench.yaml").write_text(RECIPE.format(model=work / "model", precision=chosen.precision))
        bench = Bench(work)
        bench.cold(chosen.rounds)
        bench.quick()


class Bench:
    """One working folder with the model and the recipe in it."""

    def __init__(self, work: Path) -> None:
        self.work = work
        self.log = work / "log.txt"
        self.count = 0

    def ours(self, *words: str, outputs: str = "outputs") -> Cost:
        """One run of ovrun."""
        command = [str(BIN / "ovrun"), *words]
        if words[0] in ("optimize", "plan"):
            command += ["--outputs", str(self.work / outputs)]
        return run(command, self.work, self.log, OFFLINE)

    def peer(self) -> Cost:
        """One run of optimum-cli."""
        self.count += 1
        command = [str(BIN / "optimum-cli"), *PEER.split(), "-m", "model", str(self.work / f"peer{self.count}")]
        return run(command, self.work, self.log, OFFLINE)

    def cold(self, rounds: int) -> None:
        """Cold int4 runs in turn, then the same recipe with another ratio over the conversion that is there."""
        ours, peers, changed = [], [], []
        for number in range(rounds):
            peers.append(self.peer())
            ours.append(self.ours("optimize", "bench.yaml", outputs=f"cold{number}"))
            changed.append(self.ours("optimize", "bench.yaml", "compression.ratio=0.6", outputs=f"cold{number}"))
            show("optimum-cli", peers[-1])
            show("ovrun", ours[-1])
            show("ovrun, only the ratio changed", changed[-1])
        print()
        ratio("cold int4, wall", ours, peers, lambda c: c.wall, 0.9)
        ratio("cold int4, CPU", ours, peers, lambda c: c.cpu, 0.9)
        ratio("cold int4, peak memory of all processes", ours, peers, lambda c: c.peak, 1.0)
        ratio("cold int4, peak memory of one process", ours, peers, lambda c: c.peak_one, 1.0)
        ratio("only the compression changed, wall", changed, ours, lambda c: c.wall, 0.5)
        self.where_time_goes()

    def where_time_goes(self) -> None:
        """The stages of the last cold run, and the conversion step by step."""
        print("\nwhere the time goes (last cold run)")
        manifests = sorted(self.work.glob("cold*/bench/1/manifest.json"))
        for stage in json.loads(manifests[-1].read_text())["stages"]:
            peak = stage["peak_memory"] / 1e6
            print(
                f"  {stage['label']:<28} {stage['seconds']:6.2f} s  {stage['cpu_seconds']:6.2f} CPU s  {peak:6.0f} MB"
            )
            print(f"      {'import':<24} {stage['import_seconds']:6.2f} s")
            for step, seconds in stage.get("result", {}).get("steps", {}).items():
                print(f"      {step:<24} {seconds:6.2f} s")

    def quick(self) -> None:
        """What must feel immediate."""
        print("\nthe median of five")
        for limit, words in (
            (0.4, ["--help"]),
            (1.0, ["validate", "dialogpt-mini-int4"]),
            (1.0, ["validate", "bench.yaml"]),
            (1.0, ["plan", "bench.yaml"]),
            (1.0, ["optimize", "bench.yaml"]),
        ):
            walls = [self.ours(*words, outputs="cold0").wall for _ in range(5)]
            verdict(f"ovrun {' '.join(words)}", statistics.median(walls), limit, " s")


def show(name: str, cost: Cost) -> None:
    """One measured run."""
    print(f"  {name:<32} {cost.wall:6.2f} s  {cost.cpu:6.2f} CPU s  {cost.peak / 1e6:6.0f} MB in all", flush=True)


def ratio(name: str, ours: list[Cost], theirs: list[Cost], of: Callable[[Cost], float], limit: float) -> None:
    """The median of the ratios of runs that were made next to each other."""
    verdict(name, statistics.median(of(a) / of(b) for a, b in zip(ours, theirs, strict=True)), limit, " x")


def verdict(name: str, value: float, limit: float, unit: str) -> None:
    """A figure beside what it must reach."""
    print(
        f"  {name:<44} {value:6.2f}{unit}  (at most {limit}{unit})  {'met' if value <= limit else 'MISSED'}", flush=True
    )


if __name__ == "__main__":
    main()
