"""`make bench-peers`: the same job by ovrun, by hand, by `optimum-cli` and by Olive, in turn on this machine.

The job: convert a GPT-2 with fp16 weights, compress it to int4_sym (ratio 0.8, group size 128), save it with its
tokenizer. `--model mini` takes the embedded dialogpt-mini, and ovrun and the script measure the divergence from the
original too; `--model gpt2` takes 124 M random weights. Ratios are to the script by hand in the same round. After the
rounds every row of facts is tried with the real tools (`bench/peers_facts.py`). Olive gets a virtual environment of its
own, of the package index, with the versions of constraints.txt; `--olive FOLDER` takes one that is there.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import venv
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from bench.measure import Cost, run
from bench.run import BIN, OFFLINE, PEER
from tests.compressed import compressed
from tests.geometry import gpt2_folder

ROOT = Path(__file__).parent.parent
RECIPE = """\
name: peers
model: {{source: local, path: {model}, task: text-generation-with-past}}
compression: {{algorithm: weight_compression, mode: int4_sym, ratio: 0.8, group_size: 128}}
"""
CHECK = """\
datasets: {{text: {{source: file, path: {text}, column: text}}}}
accuracy: {{checks: [{{metric: kl_divergence, dataset: text, max: 0.01, context_length: 256}}]}}
"""
HAND = ROOT / "bench/peers_by_hand.py"
MINI = ROOT / "runner/embedded/dialogpt-mini"
TEXT = ROOT / "runner/embedded/data/dialogue-eval.jsonl"
OLIVE = ("olive-ai", "optimum-intel", "nncf", "openvino", "openvino-tokenizers", "transformers", "torch==2.13.0")


def main() -> None:
    """Measure, print figures, then facts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", choices=("mini", "gpt2"), default="gpt2")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--olive", type=Path, help="a virtual environment with Olive; made anew by default")
    parser.add_argument("--no-facts", action="store_true", help="figures only")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ovrun-peers-") as name:
        job = Job(Path(name), checked=chosen.model == "mini")
        job.write()
        refusal = None if chosen.olive else install_olive(job.work / "olive")
        job.olive = (chosen.olive or job.work / "olive") / "bin/olive"
        for _ in range(chosen.rounds):
            for side, out, cost in job.round(refusal is None):
                show(side, cost, out, job.out("hand"))
                job.costs.setdefault(side, []).append(cost)
        summary(job, refusal)
        if not chosen.no_facts:
            from bench.peers_facts import facts

            facts(job, refusal)


def install_olive(folder: Path) -> str | None:
    """Make Olive's environment; why that failed, or None."""
    venv.create(folder, with_pip=True)
    command = [folder / "bin/python", "-m", "pip", "install", "--quiet", "-c", ROOT / "constraints.txt", *OLIVE]
    done = subprocess.run(command, capture_output=True, text=True)
    return done.stderr.strip().splitlines()[-1] if done.returncode else None


@dataclass
class Job:
    """A working folder, and the command of each side.

    Attributes:
        checked: the sides that can also measure the divergence from the original.
        number: of the round.
    """

    work: Path
    checked: bool
    olive: Path = Path("olive")
    number: int = 0
    costs: dict[str, list[Cost]] = field(default_factory=dict)

    @property
    def model(self) -> Path:
        """The original."""
        return self.work / "model"

    def write(self) -> None:
        """The model, the recipe, and Olive's workflow."""
        if self.checked:
            shutil.copytree(MINI, self.model)
        else:
            gpt2_folder(self.model, layers=12, hidden=768, vocab=50257, dtype="float16", seed=0)
        recipe = RECIPE + CHECK if self.checked else RECIPE
        (self.work / "peers.yaml").write_text(recipe.format(model=self.model, text=TEXT))

    def workflow(self, out: Path, settings: dict[str, object] | None = None) -> Path:
        """Olive's file, for one output folder; its cache is beside the output."""
        asked = {"weight_format": "int4", "sym": True, "ratio": 0.8, "group_size": 128} | (settings or {})
        made = {
            "input_model": {"type": "HfModel", "model_path": str(self.model), "task": "text-generation-with-past"},
            "passes": {
                "export": {
                    "type": "OpenVINOOptimumConversion",
                    "extra_args": {"task": "text-generation-with-past"},
                    "ov_quant_config": asked,
                }
            },
            "cache_dir": f"{out}-cache",
            "output_dir": str(out),
        }
        path = self.work / f"{out.name}.json"
        path.write_text(json.dumps(made, indent=1))
        return path

    def out(self, side: str) -> Path:
        """The output folder of one side in this round."""
        return self.work / f"{side}{self.number}"

    def ours(self, out: Path, *words: str) -> list[str]:
        """A run of ovrun."""
        return [str(BIN / "ovrun"), "optimize", "peers.yaml", "--outputs", str(out), *words]

    def by_hand(self, out: Path) -> list[str]:
        """A run of the script."""
        return [sys.executable, str(HAND), str(self.model), str(out), *([str(TEXT)] if self.checked else [])]

    def cli(self, out: Path, *words: str) -> list[str]:
        """A run of optimum-cli."""
        return [str(BIN / "optimum-cli"), *PEER.split(), *words, "-m", str(self.model), str(out)]

    def of_olive(self, out: Path, settings: dict[str, object] | None = None) -> list[str]:
        """A run of Olive."""
        return [str(self.olive), "run", "--config", str(self.workflow(out, settings))]

    def round(self, olive: bool) -> Iterator[tuple[str, Path, Cost]]:
        """Every side once: its name, the folder of its result, and what it cost."""
        self.number += 1
        hand, cli, ours, theirs = (self.out(side) for side in ("hand", "cli", "ovrun", "olive"))
        yield "by hand", hand, self.run(self.by_hand(hand))
        yield "optimum-cli", cli, self.run(self.cli(cli))
        yield "ovrun, cold", ours / "peers/1", self.run(self.ours(ours))
        yield "ovrun, another ratio", ours / "peers/2", self.run(self.ours(ours, "compression.ratio=0.6"))
        yield "ovrun, back to the first", ours / "peers/1", self.run(self.ours(ours))
        if olive:
            yield "Olive", theirs, self.run(self.of_olive(theirs))
            yield "Olive, nothing changed", theirs, self.run(self.of_olive(theirs))

    def run(self, command: list[str]) -> Cost:
        """One measured run, without a network."""
        return run(command, self.work, self.work / "log.txt", OFFLINE)


def result(out: Path) -> Path | None:
    """The folder with the compressed model somewhere under a side's output."""
    return next((path.parent for path in sorted(out.rglob("openvino_model.bin"))), None)


def digest(out: Path) -> str:
    """The beginning of the SHA-256 of a result's weights."""
    found = result(out)
    return hashlib.sha256((found / "openvino_model.bin").read_bytes()).hexdigest()[:8] if found else "no result"


def show(side: str, cost: Cost, out: Path, hand: Path) -> None:
    """One measured run, and whether its weights are those of the script."""
    figures = f"{cost.wall:7.2f} s  {cost.cpu:7.2f} CPU s  {cost.peak / 1e6:6.0f} MB"
    print(f"  {side:<26} {figures}  {size(out) / 1e6:6.1f} MB of files  {same(out, hand)}", flush=True)


def size(out: Path) -> int:
    """Bytes of the model's weights and graph."""
    found = result(out)
    return sum(path.stat().st_size for path in found.glob("openvino_model.*")) if found else 0


def same(out: Path, hand: Path) -> str:
    """How a result's weights compare with those of the script."""
    mine, other = result(out), result(hand)
    if mine is None or other is None:
        return "no result"
    if digest(mine) == digest(other):
        return f"{digest(mine)}, the same .bin"
    return f"{digest(mine)}, " + ("the same integer weights" if compressed(mine) == compressed(other) else "others")


def summary(job: Job, refusal: str | None) -> None:
    """Medians, and medians of the ratios to the script in the same round."""
    print(f"\nmedians of {job.number}; ratio to the script by hand in the same round")
    for side, costs in job.costs.items():
        print(
            f"  {side:<26} {middle(job, costs, lambda c: c.wall)} wall  {middle(job, costs, lambda c: c.cpu)} CPU  "
            f"{middle(job, costs, lambda c: c.peak / 1e6)} MB"
        )
    if refusal:
        print(f"  Olive                      does not install: {refusal}")


def middle(job: Job, costs: list[Cost], of: Callable[[Cost], float]) -> str:
    """A median, and that of the ratios."""
    hands = job.costs["by hand"]
    ratio = statistics.median(of(a) / of(b) for a, b in zip(costs, hands, strict=True))
    return f"{statistics.median(map(of, costs)):8.2f} ({ratio:4.2f} x)"


if __name__ == "__main__":
    main()
