"""The rows of facts of `bench/peers.py`: each is tried with the real tool, and what it did is printed.

- a misspelt setting, and a value out of range: the exit code, the seconds, and whether a model came out of it;
- the same bytes again: the digests of all rounds;
- the earlier result: another setting into the same folder, and whether the first weights are still there;
- accuracy: whether a file of the output names the divergence (the script prints it instead);
- OpenVINO GenAI: whether it answers from the folder as it is;
- lines that the user writes.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from bench.peers import HAND, Job, digest, result
from bench.run import OFFLINE

QUESTION = "what is 3 plus 4?<|endoftext|>"


def facts(job: Job, refusal: str | None) -> None:
    """Try everything, and print it."""
    olive = refusal is None
    print("\na misspelt setting (group_sise), and a value out of range (ratio 8)")
    mistakes(job, olive)
    print("\nthe same bytes in every round")
    repeats(job, olive)
    print("\nthe result: does it say what it lost, does OpenVINO GenAI answer from it")
    usable(job, olive)
    print("\nanother setting into the same folder: are the first weights still there?")
    kept(job, olive)
    print("\nlines written by the user")
    lines(job, olive)


def mistakes(job: Job, olive: bool) -> None:
    """Two mistakes, each into a folder of its own."""
    out = job.work / "mistake"
    tried(job, "ovrun", job.ours(out, "compression.group_sise=64"), out)
    tried(job, "ovrun, value", job.ours(out, "compression.ratio=8"), out)
    tried(job, "by hand", edited(job, out, '"group_size"', '"group_sise"'), out)
    tried(job, "by hand, value", edited(job, out, '"ratio": 0.8', '"ratio": 8'), out)
    tried(job, "optimum-cli", job.cli(out, "--group-sise", "64"), out)
    tried(job, "optimum-cli, value", job.cli(out, "--ratio", "8"), out)
    if olive:
        tried(job, "Olive", job.of_olive(out, {"group_sise": 64}), out)
        tried(job, "Olive, value", job.of_olive(out, {"ratio": 8}), out)


def edited(job: Job, out: Path, old: str, new: str) -> list[str]:
    """The command of a copy of the script with one change."""
    copy = job.work / "edited.py"
    copy.write_text(HAND.read_text().replace(old, new))
    command = job.by_hand(out)
    return [command[0], str(copy), *command[2:]]


def tried(job: Job, side: str, command: list[str], out: Path) -> None:
    """Run what is mistaken, and say how it ended and when."""
    start = time.monotonic()
    done = subprocess.run(command, cwd=job.work, env=os.environ | OFFLINE, capture_output=True, text=True)
    seconds = time.monotonic() - start
    model = "a model came out" if result(out) else "no model"
    print(f"  {side:<20} exit {done.returncode} after {seconds:6.1f} s, {model}: {last(done)}", flush=True)
    for path in (out, Path(f"{out}-cache")):
        shutil.rmtree(path, ignore_errors=True)


def last(done: subprocess.CompletedProcess[str]) -> str:
    """The line of the output that says most: the first with `error`, or the last."""
    written = [line.strip() for line in (done.stderr + "\n" + done.stdout).splitlines() if line.strip()]
    wrong = [line for line in written if "error" in line.lower() or "invalid" in line.lower()]
    return (wrong or written or [""])[-1][:200]


def repeats(job: Job, olive: bool) -> None:
    """The digests of every round."""
    for side in ("hand", "cli", "ovrun", *(["olive"] if olive else [])):
        where = "peers/1" if side == "ovrun" else "."
        digests = {digest(job.work / f"{side}{number}" / where) for number in range(1, job.number + 1)}
        print(f"  {side:<20} {', '.join(sorted(digests))} in {job.number} rounds")


def kept(job: Job, olive: bool) -> None:
    """Another ratio into the folder of the last round."""
    commands = {
        "ovrun": job.ours(job.out("ovrun"), "compression.ratio=0.5"),
        "hand": edited(job, job.out("hand"), '"ratio": 0.8', '"ratio": 0.5'),
        "cli": job.cli(job.out("cli"), "--ratio", "0.5"),
    }
    if olive:
        commands["olive"] = job.of_olive(job.out("olive"), {"ratio": 0.5})
    for side, command in commands.items():
        before = digests_under(job.out(side))
        subprocess.run(command, cwd=job.work, env=os.environ | OFFLINE, capture_output=True, check=False)
        after = digests_under(job.out(side))
        print(f"  {side:<20} {'yes' if before <= after else 'no'}; {len(after)} models are there", flush=True)


def digests_under(folder: Path) -> set[str]:
    """The digests of all published models below a folder; stores and caches don't count."""
    found = [path for path in folder.rglob("openvino_model.bin") if ".store" not in path.parts]
    return {digest(path.parent) for path in found}


def usable(job: Job, olive: bool) -> None:
    """Look into the results of the first round, and load them."""
    answer = f"print(g.LLMPipeline(sys.argv[1], 'CPU').generate({QUESTION!r}, max_new_tokens=8))"
    for side in ("hand", "cli", "ovrun", *(["olive"] if olive else [])):
        folder = result(job.work / f"{side}1" / ("peers/1" if side == "ovrun" else "."))
        if folder is None:
            continue
        told = any("kl_divergence" in path.read_text() for path in folder.glob("*.json"))
        done = subprocess.run(
            [sys.executable, "-c", f"import sys, openvino_genai as g; {answer}", folder],
            capture_output=True,
            text=True,
            check=False,
        )
        print(f"  {side:<20} divergence {'told' if told else 'not told'}; GenAI exit {done.returncode}: {last(done)}")


def lines(job: Job, olive: bool) -> None:
    """Lines that are neither empty nor comment."""
    files = {"ovrun": job.work / "peers.yaml", "by hand": HAND}
    if olive:
        files["Olive"] = job.workflow(job.out("olive"))
    for side, path in files.items():
        written = [line for line in path.read_text().splitlines() if line.strip() and not line.strip().startswith("#")]
        print(f"  {side:<20} {len(written)}")
    print("  optimum-cli          1")
