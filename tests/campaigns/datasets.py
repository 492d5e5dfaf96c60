"""Damaged and hostile data: small real files of every format, and what recipes say of them, mutated and read."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

from runner.base.paths import is_file
from runner.recipe.datasets import kinds
from tests import foreign
from tests.campaigns import harness, models, mutate
from tests.campaigns.archives import ARCHIVES, ITEMS, header, saved
from tests.campaigns.harness import Campaign, Trial
from tests.campaigns.texts import LINES, TEXTS
from tests.geometry import gpt2_folder

NORMAL = 45
"""Seconds that a run may take that nothing is wrong with, on a busy machine."""
MUCH = 10_000_000
"""Bytes of a file that is not spoiled any further."""
LARGE = 200_000
"""Bytes of a text that is work, rather than an attack, for a whole run."""
LARGEST = 500
"""Megabytes that planning and reading may take."""
KEYS = (
    "path",
    "odd",
    "column",
    "prompt",
    "inputs",
    "labels",
    "limit",
    "limit",
    "preprocess",
    "preprocess",
    "preprocess",
)
STEPS = ("scale", "mean", "std", "layout", "dtype", "odd")
NUMBERS = (0, -1, 1, 2, 5, 24, 25, 1e19, 2**63, 0.5, True, "3", float("nan"), float("inf"))

Section = dict[str, Any]
TEXT: Section = {"source": "file", "path": "d.txt"}
ROWS: Section = {"source": "file", "path": "d.jsonl", "column": "text"}
PAIRS: Section = {"source": "file", "path": "d.jsonl", "prompt": "prompt", "reply": "reply"}
ARRAYS: Section = {"source": "file", "path": "d.npz", "inputs": "x", "labels": "labels"}
STEPPED: Section = {**ARRAYS, "preprocess": {"scale": "1/16", "mean": [0.5], "std": 2, "dtype": "float32"}}

KINDS: dict[str, tuple[Section, tuple[str, ...]]] = {
    "text": (TEXT, ("kl_divergence", "perplexity")),
    "rows": (ROWS, ("kl_divergence", "perplexity", "cosine_similarity")),
    "pairs": (PAIRS, ("exact_match",)),
    "arrays": (ARRAYS, ("accuracy", "cosine_similarity", "relative_l2")),
    "stepped": (STEPPED, ("accuracy", "cosine_similarity")),
}
GATES: dict[str, Section] = {
    "kl_divergence": {"max": 5},
    "perplexity": {"max": 1e6},
    "relative_l2": {"max": 5},
    "cosine_similarity": {"min": 0.1},
    "accuracy": {"max_drop": 0.5},
    "exact_match": {"max_drop": 0.5},
}
WORDS = "ab cd ef gh ij kl mn op qr st"


def prepare(shared: Path) -> None:
    """A model for arrays and one for texts, and a file whose arrays are hundreds of megabytes of nothing."""
    import numpy as np

    foreign.openvino_ir(shared / "net", foreign.dense(0))
    gpt2_folder(shared / "gpt2", layers=1, hidden=64, vocab=400, positions=64)
    recipe = shared / "exported.yaml"
    model = {"source": "local", "path": str(shared / "gpt2"), "task": "text-generation-with-past"}
    recipe.write_text(f"name: mine\nmodel: {json.dumps(model)}\n")
    command = [sys.executable, "-m", "runner", "optimize", str(recipe), "--outputs", str(shared / "made"), "--quiet"]
    subprocess.run(command, check=True, capture_output=True)
    shutil.copytree(next((shared / "made").glob("*/1")), shared / "exported", dirs_exist_ok=True)
    with zipfile.ZipFile(shared / "bomb.npz", "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        with archive.open("x.npy", "w", force_zip64=True) as file:
            file.write(header("'<f4'", f"({ITEMS}, 16)"))
            for _ in range(700):
                file.write(bytes(1 << 20))
        archive.writestr("labels.npy", saved(np.zeros(ITEMS, np.int64)))
    for path in shared.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)


def case(trial: Trial) -> None:
    """Mutate a file, or what a recipe says of it, or both; plan it, read it, and now and then run it all."""
    draw = trial.random
    kind = draw.choice([*KINDS])
    section, metrics = KINDS[kind]
    section = json.loads(json.dumps(section))
    path = trial.folder / section["path"]
    _write(kind, path)
    (trial.folder / "beside.bin").write_bytes(bytes(range(256)))
    if draw.random() < 0.8:
        for _ in range(draw.choice((1, 1, 1, 2))):
            if is_file(path) and path.stat().st_size < MUCH:
                _spoil(trial, kind, path)
    if draw.random() < 0.3:
        trial.note(f"section: {_change(draw, section)}")
    text = _recipe(trial, kind, section, draw.choice(metrics))
    (trial.folder / "r.yaml").write_bytes(text.encode("utf-8", "surrogatepass"))
    _try(trial, run=draw.random() < 0.6)


def _recipe(trial: Trial, kind: str, section: Section, metric: str) -> str:
    arrays = kind in ("arrays", "stepped")
    model = trial.shared / ("net/model.xml" if arrays else "exported/openvino_model.xml")
    document: dict[str, Any] = {"name": "mine", "model": {"source": "openvino", "path": str(model)}}
    document["datasets"] = {"d": section}
    document["accuracy"] = {"checks": [{"metric": metric, "dataset": "d", **GATES[metric]}]}
    if arrays and trial.random.random() < 0.2:
        document["compression"] = {"algorithm": "quantization", "dataset": "d"}
    return mutate.dumped(trial.random, document)


def _try(trial: Trial, *, run: bool) -> None:
    planned = trial.run("plan", "r.yaml", codes=(0, 2, 4))
    if planned.code == 0:
        _read(trial)
    if trial.largest > LARGEST:
        trial.complain(f"grew by {trial.largest:.0f} MB before anything ran")
    small = all(path.stat().st_size < LARGE for path in trial.folder.glob("d.*") if path.is_file())
    if planned.code == 0 and run and small:
        trial.run("optimize", "r.yaml", codes=(0, 2, 3, 4), starts=True, seconds=NORMAL + 5)


def _read(trial: Trial) -> None:
    """Read all that the recipe's dataset gives, as stages do: an error is worded, or there is none."""
    from runner import data
    from runner.errors import SourceError
    from runner.recipe import load_recipe

    def read() -> None:
        dataset = load_recipe("r.yaml", []).datasets["d"]
        for kind in sorted(kinds(dataset) - {"labels"}):
            found = getattr(data, f"read_{kind}")(dataset)
            if kind == "arrays":
                for start in range(0, min(len(found), 64), 8):
                    found.batch(start, start + 8)

    trial.call(read, allowed=(SourceError,))


def _write(kind: str, path: Path) -> None:
    """The file as it should be."""
    import numpy as np

    if kind == "text":
        path.write_text(f"{WORDS}\n" * 20)
    elif path.suffix == ".jsonl":
        row = json.dumps({"text": WORDS, "prompt": "ab cd", "reply": "ef", "id": 1})
        path.write_text(f"{row}\n" * 8)
    else:
        numbers = np.random.default_rng(0)
        x, labels = numbers.normal(size=(ITEMS, 16)).astype(np.float32), numbers.integers(0, 8, ITEMS)
        np.savez(path, x=x, labels=labels, spare=np.arange(3))


def _spoil(trial: Trial, kind: str, path: Path) -> None:
    """Damage the file's bytes, or write it anew, wrong by its own format's means."""
    draw = trial.random
    if draw.random() < 0.25:
        change = draw.choice(models.BYTES)
        trial.note(f"{kind}: {change.__name__.strip('_')} {change(draw, path) or ''}")
        return
    writers = ARCHIVES if path.suffix == ".npz" else LINES if path.suffix == ".jsonl" else TEXTS
    writer = draw.choice(writers)
    trial.note(f"{kind}: {writer.__name__.strip('_')} {writer(trial, path) or ''}")


def _change(draw: random.Random, section: Section) -> str:
    """Something else in the dataset's section of the recipe."""
    key = draw.choice(KEYS)
    if key == "limit":
        section[key] = draw.choice(NUMBERS)
    elif key == "preprocess" and draw.random() < 0.8:
        steps = section.setdefault("preprocess", {})
        step = draw.choice(STEPS)
        steps[step] = draw.choice(
            (*NUMBERS, *models.VALUES, "1/0", "1/3", "NC->CN", "NHWC->NCHW", "CN->CN", "int8", "float16", [1, 2], [0])
        )
        return f"preprocess.{step}: {steps[step]!r:.80}"
    elif key == "inputs" and draw.random() < 0.5:
        section[key] = draw.choice(({"x": "x"}, {"y": "x"}, {"x": "labels"}, {"x": "nosuch"}, {"": "x"}, "spare"))
    elif key == "path" and draw.random() < 0.7:
        section[key] = draw.choice(
            (
                "nosuch.npz",
                ".",
                "..",
                "/dev/zero",
                "/dev/stdin",
                "a" * 300,
                "~nosuchuser/d.txt",
                "beside.bin",
                "r.yaml",
                "d.csv",
            )
        )
    else:
        section[key] = draw.choice((*models.VALUES, *mutate.TEXTS))
    if draw.random() < 0.1:
        section.pop(draw.choice([*section]))
    return f"{key}: {section.get(key, 'left out')!r:.80}"


CAMPAIGN = Campaign(
    "datasets",
    500,
    case,
    prepare=prepare,
    warm=(
        "runner.plan.builder",
        "runner.run.lifecycle",
        "runner.data.npz",
        "runner.data.jsonl",
        "runner.data.preprocess",
        "numpy",
    ),
    megabytes=2000,
    patience=2 * NORMAL,
)


def main(argv: list[str] | None = None) -> int:
    """Run the campaign: 0 if no case failed."""
    return harness.main(CAMPAIGN, argv)


if __name__ == "__main__":
    sys.exit(main())
