"""Memory of a recipe that calibrates and measures with 500 rows of a jsonl file of 2 GB, against a file of these rows.

python bench/data_memory.py [MEGABYTES]
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROWS = 500
RECIPE = """\
name: {name}
model: {{source: embedded, id: dialogpt-mini}}
datasets:
  seen: {{source: file, path: {file}, column: text, limit: {rows}{chosen}}}
compression: {{algorithm: weight_compression, mode: int4_sym, group_size: 32, dataset: seen, scale_estimation: true}}
accuracy:
  checks: [{{metric: kl_divergence, dataset: seen, max: 9}}]
"""
CHOSEN = {"first": "", "where": ", where: {number: {min: 1000}}", "shuffled": ", shuffle: true, seed: 1"}
LEADER = """\
import resource, sys
from runner.cli import main
code = main(sys.argv[1:])
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024, file=sys.stderr)
sys.exit(code)
"""


def write(path: Path, size: int) -> None:
    """Rows of about 400 bytes, until the file has a size."""
    with path.open("w") as file:
        written = 0
        while file.tell() < size:
            for number in range(written, written + 5000):
                text = f"row {number} says what there is to say of it, and that is no more than the others say. " * 4
                file.write(json.dumps({"number": number, "text": text}) + "\n")
            written += 5000


def measured(folder: Path, file: Path, how: str) -> tuple[int, int, float]:
    """Peak bytes of the process that leads, of the largest stage, and the seconds of a run."""
    name = f"{file.stem}-{how}"
    (folder / f"{name}.yaml").write_text(RECIPE.format(name=name, file=file.name, rows=ROWS, chosen=CHOSEN[how]))
    outputs, began = folder / f"outputs-{name}", time.monotonic()
    words = ["optimize", str(folder / f"{name}.yaml"), "--quiet", "--outputs", str(outputs)]
    done = subprocess.run([sys.executable, "-c", LEADER, *words], capture_output=True, text=True, check=True)
    entries = outputs.glob(".store/entries/*/*/entry.json")
    stages = max(json.loads(path.read_text())["peak_memory"] for path in entries)
    return int(done.stderr.split()[-1]), stages, time.monotonic() - began


def main() -> None:
    """Each way to choose rows of the large file, beside the first rows of a small one."""
    size = int(sys.argv[1] if len(sys.argv) > 1 else 2000) * 1_000_000
    with tempfile.TemporaryDirectory(prefix="ovrun-bench-") as name:
        folder = Path(name)
        write(folder / "small.jsonl", 1_000_000)
        write(folder / "large.jsonl", size)
        for file, how in (("small", "first"), *(("large", how) for how in CHOSEN)):
            leader, stage, seconds = measured(folder, folder / f"{file}.jsonl", how)
            megabytes = (folder / f"{file}.jsonl").stat().st_size / 1e6
            told = f"leader {leader / 1e6:6.0f} MB   largest stage {stage / 1e6:6.0f} MB   {seconds:5.1f} s"
            print(f"  {megabytes:6.0f} MB, {how:<9}{told}", flush=True)


if __name__ == "__main__":
    main()
