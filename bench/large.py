"""`make bench-large`: ovrun against `optimum-cli` on a Llama of 1.1e9 random weights, in turn on this machine.

The geometry is TinyLlama's, or with `ARGS="--geometry 7b"` that of Llama 2 7B; the weights are random fp16 in a local
folder, written file by file. What `ovrun plan` expected is held against what came. Both sides convert to fp16 and
compress to 4 bits; above 1e9 parameters Optimum compresses to 8 bits unless it is told what to do, which it is here.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import psutil

sys.path.insert(0, str(Path(__file__).parent.parent))

from bench.measure import Cost, run
from bench.run import BIN, OFFLINE, PEER, ratio, show
from tests.geometry import llama_folder

RECIPE = """\
name: large
model: {{source: local, path: {model}, task: text-generation-with-past}}
compression: {{algorithm: weight_compression, mode: int4_sym, ratio: 0.8, group_size: 128}}
"""
_BOTH = {"heads": 32, "vocab": 32000, "positions": 2048}
GEOMETRIES = {
    "1b": {"layers": 22, "hidden": 2048, "intermediate": 5632, "kv_heads": 4, **_BOTH},
    "7b": {"layers": 32, "hidden": 4096, "intermediate": 11008, "kv_heads": 32, **_BOTH},
}
NEEDED = {"1b": 10 << 30, "7b": 18 << 30}
"""Bytes of memory; the 7b geometry takes 60 GB of disk besides."""
SHARD = 2 << 30


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--geometry", choices=GEOMETRIES, default="1b", help="of the model")
    parser.add_argument("--rounds", type=int, default=1, help="pairs of cold runs")
    parser.add_argument("--folder", type=Path, help="where to work: 10 GB; a folder of its own by default")
    parser.add_argument("--only", choices=("ovrun", "optimum-cli"), help="measure one side")
    chosen = parser.parse_args()
    free, needed = psutil.virtual_memory().available, NEEDED[chosen.geometry]
    if free < needed:
        sys.exit(f"{free / 1e9:.1f} GB of memory are free, and this needs {needed / 1e9:.0f}")
    with tempfile.TemporaryDirectory(prefix="ovrun-bench-", dir=chosen.folder) as name:
        work = Path(name)
        llama_folder(work / "model", dtype="float16", seed=0, shards=SHARD, **GEOMETRIES[chosen.geometry])
        size = sum(file.stat().st_size for file in (work / "model").glob("*.safetensors"))
        print(f"{size / 2e9:.2f} B parameters, {size / 1e9:.2f} GB of fp16 weights")
        (work / "large.yaml").write_text(RECIPE.format(model=work / "model"))
        measure(work, chosen.rounds, chosen.only)


def measure(work: Path, rounds: int, only: str | None) -> None:
    """Pairs of cold runs; each result is removed before the next run."""
    ours, peers = [], []
    for _ in range(rounds):
        if only != "ovrun":
            peers.append(_peer(work))
        if only != "optimum-cli":
            ours.append(_ours(work))
    if only is None:
        print()
        ratio("cold int4, wall", ours, peers, lambda cost: cost.wall, 1.0)
        ratio("cold int4, CPU", ours, peers, lambda cost: cost.cpu, 1.0)
        ratio("cold int4, peak memory of all processes", ours, peers, lambda cost: cost.peak, 1.0)
        ratio("cold int4, peak memory of one process", ours, peers, lambda cost: cost.peak_one, 1.0)


def _peer(work: Path) -> Cost:
    command = [str(BIN / "optimum-cli"), *PEER.split(), "-m", "model", "peer"]
    cost = run(command, work, work / "log.txt", OFFLINE)
    show("optimum-cli", cost)
    print(f"      {_weights(work / 'peer') / 1e6:.0f} MB of weights")
    shutil.rmtree(work / "peer")
    return cost


def _ours(work: Path) -> Cost:
    told = subprocess.run([BIN / "ovrun", "plan", "large.yaml", "--json"], cwd=work, check=True, capture_output=True)
    expected = {stage["label"]: stage for stage in json.loads(told.stdout)["stages"]}
    cost = run([str(BIN / "ovrun"), "optimize", "large.yaml"], work, work / "log.txt", OFFLINE)
    show("ovrun", cost)
    version = work / "outputs/large/1"
    print(f"      {_weights(version) / 1e6:.0f} MB of weights")
    for stage in json.loads((version / "manifest.json").read_text())["stages"]:
        peak, plan = stage["peak_memory"] / 1e6, expected[stage["label"]]["memory"] / 1e6
        print(
            f"      {stage['label']:<24} {stage['seconds']:6.2f} s  {stage['cpu_seconds']:6.2f} CPU s  {peak:6.0f} MB"
            f"  (plan: {plan:6.0f} MB, {plan / peak:.2f} of it)"
        )
        for step, seconds in stage.get("result", {}).get("steps", {}).items():
            print(f"          {step:<20} {seconds:6.2f} s")
    stored = sum(path.stat().st_size for path in (work / "outputs/.store/entries").rglob("*") if path.is_file()) / 1e6
    disk = sum(stage["disk"] for stage in expected.values()) / 1e6
    print(f"      disk: {stored:.0f} MB (plan: {disk:.0f} MB, {disk / stored:.2f} of it)")
    shutil.rmtree(work / "outputs")
    return cost


def _weights(folder: Path) -> int:
    return (folder / "openvino_model.bin").stat().st_size


if __name__ == "__main__":
    main()
