"""`make bench-eval`: tokens per second of an evaluation against bare inference of the same windows, in turn.

The model is a GPT-2 of 124 M random weights, converted to fp16 and run in f32, each time by a process of its own. Bare
inference feeds every window whole and reads nothing; the evaluation compares every token's distribution with the
reference that was stored before. Seconds are from the compiled model to the end; of them the evaluation has all that
it reads and computes. On a busy machine CPU seconds tell more. Peaks are the highest resident memory.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from bench.measure import Cost, run
from bench.memory import converted

BEGIN = """\
import json, sys, time
from pathlib import Path
from runner.data import read_text
from runner.data.tokens import Tokenizer, passage
from runner.metrics import divergence
from runner.model import runtime
from runner.recipe.accuracy import RUNTIME
from runner.recipe.dataset import Dataset
work, model, length = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
data = Dataset("text", "file", work / "text.txt", "txt")
given = model, data, {"context_length": length}, RUNTIME, work / "reference", lambda *_: None
start, cpu, compile_folder = 0.0, 0.0, runtime.compile_folder
def compiled_at(*arguments):
    global start, cpu
    compiled = compile_folder(*arguments)
    next(runtime.logits(compiled, text.window_ids(text.windows[0])[:2]))
    start, cpu = time.perf_counter(), time.process_time()
    return compiled
divergence.compile_folder = compiled_at
text = passage(Tokenizer(model), read_text(data), given[2], "text")
"""
SIDES = {
    "the model alone": "compiled_at(model, RUNTIME)",
    "reference": "given[4].mkdir(exist_ok=True)\ndivergence.reference(*given)",
    "bare inference": """\
compiled = compiled_at(model, RUNTIME)
for window in text.windows:
    for _ in runtime.logits(compiled, text.window_ids(window)[:-1], length):
        pass""",
    "evaluation": "divergence.evaluate(*given)",
}
END = """
seconds = [time.perf_counter() - start, time.process_time() - cpu]
(work / "told.json").write_text(json.dumps([text.protocol["tokens_scored"], *seconds]))
"""
LEAST, MOST = 0.95, 300e6


def main() -> None:
    """Measure, print, and check against the targets."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="pairs of runs")
    parser.add_argument("--windows", type=int, default=8, help="of how many windows")
    parser.add_argument("--length", type=int, default=512, help="tokens of a window")
    parser.add_argument("--model", type=Path, help="a folder with a model's IR and tokenizer, in place of the GPT-2")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ovrun-bench-") as name:
        work = Path(name)
        model = chosen.model or converted(work, "fp16")
        write_text(work / "text.txt", model, chosen.windows * chosen.length)
        _, alone = measured(work, model, chosen.length, "the model alone")
        measured(work, model, chosen.length, "reference")
        stored = sum(path.stat().st_size for path in (work / "reference").iterdir())
        pairs = [
            [measured(work, model, chosen.length, side) for side in ("bare inference", "evaluation")]
            for _ in range(chosen.rounds)
        ]
        tokens = json.loads((work / "told.json").read_text())[0]
        print(f"  the stored reference takes {stored / tokens:,.0f} bytes a token")
        for number, what in enumerate(("tokens/s", "tokens a CPU second")):
            ratio = statistics.median(ours[number] / bare[number] for (bare, _), (ours, _) in pairs)
            told = "met" if ratio >= LEAST else "MISSED"
            print(f"  evaluation against bare inference, {what}: {ratio:.3f} x  (at least {LEAST})  {told}", flush=True)
        beyond = max(cost.peak_one for _, (_, cost) in pairs) - alone.peak_one
        print(f"  memory beyond the model's: {beyond / 1e6:.0f} MB  ({'met' if beyond <= MOST else 'MISSED'})")


def write_text(path: Path, model: Path, tokens: int) -> None:
    """As much text as makes so many tokens, roughly."""
    from runner.data.tokens import Tokenizer
    from runner.embedded import DATASETS

    rows = DATASETS["dialogue-train"].read_text(encoding="utf-8").splitlines()
    text = " ".join(json.loads(row)["text"] for row in rows)
    each = len(text) / len(Tokenizer(model).encode(text))
    path.write_text((text * (1 + int(tokens * each) // len(text)))[: int(tokens * each)], encoding="utf-8")


def measured(work: Path, model: Path, length: int, side: str) -> tuple[tuple[float, float], Cost]:
    """Tokens per second and per CPU second of one side, and what its process cost."""
    command = [sys.executable, "-c", BEGIN + SIDES[side] + END, str(work), str(model), str(length)]
    cost = run(command, work, work / "log.txt", {"PYTHONPATH": str(Path(__file__).parent.parent)})
    tokens, seconds, cpu = json.loads((work / "told.json").read_text())
    if side != "the model alone":
        speed = f"{tokens / seconds:7.1f} tokens/s  {tokens / cpu:7.1f} tokens a CPU second"
        print(f"  {side:<20} {speed}  {cost.peak_one / 1e6:6.0f} MB", flush=True)
    return (tokens / seconds, tokens / max(cpu, 1e-9)), cost


if __name__ == "__main__":
    main()
