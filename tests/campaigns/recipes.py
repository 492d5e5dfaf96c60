"""10,000 recipes, changed by structure or by letters, or made to be too much: `validate`, and `plan` for some."""

from __future__ import annotations

import functools
import re
import sys
from pathlib import Path
from typing import Any

from tests.campaigns import harness, mutate
from tests.campaigns.harness import Campaign, Trial
from tests.campaigns.watch import PROJECT

PLACED = re.compile(r"error: (\S.*:\d+:\d+|command line.*?): ")
"""Every mistake in a recipe says where it is."""


@functools.cache
def _seeds() -> list[tuple[str, Any]]:
    return [one for folder in ("recipes", "tests/recipes") for one in mutate.seeds(PROJECT / folder, "*.yaml")]


def case(trial: Trial) -> None:
    """One recipe, or a recipe with a preset that was changed."""
    random = trial.random
    text, data = random.choice(_seeds())
    if random.random() < 0.06:
        content = (mutate.bombs(random) + random.choice(("", text))).encode("utf-8", "replace")
    elif data is None or random.random() < 0.3:
        content = mutate.spoiled(random, text)
    else:
        content = mutate.dumped(random, mutate.restructured(random, data)).encode("utf-8", "surrogatepass")
    folder = trial.folder / "recipes"
    folder.mkdir()
    if random.random() < 0.1:
        group = random.choice(("model", "data", "compression", "accuracy"))
        (folder / group).mkdir()
        (folder / group / "odd.yaml").write_bytes(content)
        content = f"defaults: [{{model: dialogpt-mini}}, {{data: dialogue}}, {{{group}: odd}}]\n".encode()
    (folder / "r.yaml").write_bytes(content)
    _run(trial)


def _run(trial: Trial) -> None:
    command = trial.random.choice(("validate",) * 8 + ("plan", "list"))
    name = trial.random.choice(("r", "recipes/r.yaml"))
    words = () if command == "list" else (name,)
    codes = (0, 2, 4) if command == "plan" else (0, 2)
    outcome = trial.run(command, *words, codes=codes, reads=[Path.home()])
    complain_of_places(trial, outcome)


def complain_of_places(trial: Trial, outcome: Any) -> None:
    """Each mistake has to name a line of a file, or the command line."""
    for line in outcome.err.splitlines():
        if outcome.code == 2 and line.startswith("error: ") and not PLACED.match(line):
            trial.complain(f"a mistake without a place: {line[:300]}")


CAMPAIGN = Campaign(
    "recipes", 10_000, case, warm=("runner.recipe.points.sweep", "runner.recipe.compose.hydra", "runner.plan.graph")
)

if __name__ == "__main__":
    sys.exit(harness.main(CAMPAIGN))
