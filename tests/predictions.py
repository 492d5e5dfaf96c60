"""What the stage `predict` keeps, of a model folder and a file of rows."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from runner.base import hardware
from runner.metrics.kept import Kept
from runner.recipe.accuracy import RUNTIME
from runner.recipe.dataset import Dataset
from runner.registry.tasks import family_of
from runner.stages import Task, predict


def rows(path: Path, lines: Iterable[Mapping[str, object]], columns: Iterable[str]) -> Dataset:
    """A jsonl dataset whose columns are called as their roles."""
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return Dataset("mine", "file", path, "jsonl", columns={name: name for name in columns})


def kept(model: Path, task: str, gives: str, dataset: Dataset, out: Path, **settings: object) -> Kept:
    """Run the stage in this process."""
    found = predict.possible(task, gives, dataset)
    assert found is not None
    params = predict.Params(
        gives,
        "" if "arrays" in found.needs else family_of(task).name,
        tuple(role for role in found.roles if role == "arrays" or role in dataset.columns),
        found.revision,
        {**found.settings, **settings},
        dict(RUNTIME),
        tuple(hardware.arithmetic()),
    )
    out.mkdir()
    predict.run(Task("predict", params, out, {"model": model}, {"data": dataset}), lambda done, total: None)
    return Kept.read(out)
