"""`make bench-tasks`: a cold int8 run against `optimum-cli export openvino`, for models of several tasks.

The models have random weights in the sizes that people use. Of each, the two sides run in turn; the compressed layers
of both are compared. Last, one part of a model of several is changed over what is there.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from bench.measure import Cost, run
from bench.run import BIN, OFFLINE, ratio, show
from bench.task_models import MODELS
from runner.model.parts import Model

RECIPE = """\
model: {{source: local, path: {model}, task: {task}}}
compression: {{algorithm: weight_compression, mode: int8_asym}}
"""
PARTS = """\
parts:
  decoder: {mode: int4_sym, group_size: 64}
"""
_COMPRESSED = ("u8", "i8", "u4", "i4")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="pairs of cold runs of each model")
    parser.add_argument("--only", nargs="+", choices=MODELS, default=list(MODELS), help="of which models")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ovrun-bench-") as name:
        work = Path(name)
        subprocess.run([sys.executable, "-m", "bench.task_models", work / "models"], check=True, capture_output=True)
        for model in chosen.only:
            _pairs(work, model, chosen.rounds)
        _one_part(work, chosen.rounds)


def _pairs(work: Path, model: str, rounds: int) -> None:
    """Cold runs of both sides in turn."""
    task = MODELS[model][0]
    print(f"\n{model}, {task}")
    (work / f"{model}.yaml").write_text(RECIPE.format(model=work / "models" / model, task=task))
    ours, peers = [], []
    for number in range(rounds):
        peers.append(_peer(work, model, task, f"peer-{model}-{number}"))
        ours.append(_ours(work, f"{model}.yaml", f"ours-{model}-{number}"))
        show("optimum-cli", peers[-1])
        show("ovrun", ours[-1])
    ratio("cold int8, wall", ours, peers, lambda cost: cost.wall, 0.8)
    ratio("cold int8, CPU", ours, peers, lambda cost: cost.cpu, 0.8)
    ratio("cold int8, peak memory of all processes", ours, peers, lambda cost: cost.peak, 1.0)
    here, there = work / f"ours-{model}-0" / model / "1", work / f"peer-{model}-0"
    same = "the same" if layers(here) == layers(there) else f"{layers(here)} and {layers(there)}"
    print(f"  compressed layers and their types: {same}")


def _ours(work: Path, recipe: str, outputs: str, *overrides: str) -> Cost:
    command = [str(BIN / "ovrun"), "optimize", recipe, *overrides, "--outputs", str(work / outputs)]
    return run(command, work, work / "log.txt", OFFLINE)


def _peer(work: Path, model: str, task: str, out: str) -> Cost:
    words = ["export", "openvino", "--task", task, "--weight-format", "int8", "-m", f"models/{model}", out]
    return run([str(BIN / "optimum-cli"), *words], work, work / "log.txt", OFFLINE)


def layers(folder: Path) -> dict[str, Counter[str]]:
    """How many weights of each compressed type the parts of a model have."""
    whole = Model.of(folder)
    found = {}
    for part in whole.parts:
        constants = (node for node in whole.read(part).get_ops() if node.get_type_name() == "Constant")
        kinds = (node.get_element_type().get_type_name() for node in constants if len(node.get_output_shape(0)) > 1)
        found[part] = Counter(kind for kind in kinds if kind in _COMPRESSED)
    return found


def _one_part(work: Path, rounds: int) -> None:
    """The settings of one part are changed, over a cold run of the same recipe."""
    print("\nwhisper-tiny, settings of the decoder changed")
    recipe = work / "parts.yaml"
    task = MODELS["whisper-tiny"][0]
    recipe.write_text(RECIPE.format(model=work / "models" / "whisper-tiny", task=task) + PARTS)
    cold, changed = [], []
    for number in range(rounds):
        cold.append(_ours(work, recipe.name, f"parts-{number}"))
        changed.append(_ours(work, recipe.name, f"parts-{number}", "parts.decoder.group_size=32"))
        show("ovrun, cold", cold[-1])
        show("ovrun, one part changed", changed[-1])
    ratio("one part changed, wall", changed, cold, lambda cost: cost.wall, 0.4)


if __name__ == "__main__":
    main()
