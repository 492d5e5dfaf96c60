"""2,000 configurations of other tools that were changed: `import`, and what it writes has to load again."""

from __future__ import annotations

import functools
import re
import sys
from pathlib import Path
from typing import Any

import yaml

from tests.campaigns import harness, mutate
from tests.campaigns.harness import Campaign, Trial
from tests.campaigns.recipes import PLACED
from tests.campaigns.watch import PROJECT

_OPTIONS = (
    *("--model", "--task", "--weight-format", "--quant-mode", "--ratio", "--group-size", "--dataset", "--sym"),
    *("--awq",),
    *(
        "--model-kwargs",
        "--num-samples",
        "--library",
        "--all-layers",
        "--smooth-quant-alpha",
        "--trust-remote-code",
        "-m",
    ),
)
_VALUES = ("a/b", "int4", "int8", "0.8", "128", "wikitext2:seq_len=128", "{}", "[" * 3000, "gpt2", "fill-mask", "out")


@functools.cache
def _seeds() -> list[tuple[str, Any]]:
    folder = PROJECT / "tests/imports"
    found = [one for pattern in ("*.json", "*.yaml", "*.txt") for one in mutate.seeds(folder, pattern)]
    return [(text, data) for text, data in found if "Imported by ovrun" not in text]


OF_A_MODEL = re.compile(r"opened to read: .*/config\.json")
"""A command names a model's folder anywhere, and its config.json says what is exported by default."""


def case(trial: Trial) -> None:
    """One file, or one command line, that is imported to a file."""
    random = trial.random
    if random.random() < 0.15:
        words = ["optimum-cli", "export", "openvino", "--model", "a/b", "out"]
        for _ in range(random.choice((1, 2, 4, 8))):
            put_in = random.choice((*_OPTIONS, *_VALUES, str(random.choice(mutate.TEXTS))))
            words.insert(random.randrange(1, len(words) + 1), put_in)
        given = [" ".join(words)] if random.random() < 0.5 else words
        given = ["--", *(word.replace("\x00", "") for word in given)]
    else:
        name = random.choice(("c.json", "c.yaml", "c.txt", "openvino_config.json"))
        (trial.folder / name).write_bytes(_content(trial))
        given = [name]
    _run(trial, given)


def _content(trial: Trial) -> bytes:
    random = trial.random
    text, data = random.choice(_seeds())
    if random.random() < 0.06:
        return (mutate.bombs(random) + random.choice(("", text))).encode("utf-8", "replace")
    if data is None or random.random() < 0.3:
        return mutate.spoiled(random, text)
    return mutate.dumped(random, mutate.restructured(random, data)).encode("utf-8", "surrogatepass")


def _run(trial: Trial, given: list[str]) -> None:
    """Import; each mistake has a place, and what was written is what our reader and another one read."""
    out = trial.folder / "made.yaml"
    outcome = trial.run("import", "--output", "made.yaml", *given, codes=(0, 2), reads=[Path.home()])
    trial.complaints = [complaint for complaint in trial.complaints if not OF_A_MODEL.fullmatch(complaint)]
    for line in outcome.err.splitlines():
        if outcome.code == 2 and line.startswith("error: ") and not PLACED.match(line):
            trial.complain(f"a mistake without a place: {line[:300]}")
    if outcome.code == 0:
        _complain_of(trial, out)
    elif out.exists():
        trial.complain("a recipe was written all the same")


def _complain_of(trial: Trial, out: Path) -> None:
    from runner.recipe.read import yamlfile

    ours = yamlfile.read(out).data
    if odd := set(ours) - {"name", "model", "input_info", "conversion", "compression", "target_device", "accuracy"}:
        trial.complain(f"sections that no import writes: {sorted(odd)}")
    if set(yaml.safe_load(out.read_text(encoding="utf-8"))) != set(ours):
        trial.complain("another reader finds other sections")
    state = trial.run("validate", "made.yaml", codes=(0, 2))
    if state.code == 2 and "not YAML" in state.err:
        trial.complain(f"what was written is not read: {state.err[:300]}")


CAMPAIGN = Campaign(
    "imports", 2_000, case, warm=("runner.importers", "runner.recipe.points.sweep", "runner.recipe.compose.hydra")
)

if __name__ == "__main__":
    sys.exit(harness.main(CAMPAIGN))
