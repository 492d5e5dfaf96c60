"""What the stage `predict` keeps, of a model folder and a file of rows."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from runner.base import hardware
from runner.metrics.kept import Kept
from runner.recipe.accuracy import RUNTIME
from runner.recipe.dataset import Dataset
from runner.recipe.datasets import narrowed
from runner.registry.metrics import FAMILIES
from runner.registry.tasks import family_of
from runner.stages import Task, evaluate, predict


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


def measured(
    metric: str, task: str, model: Path, dataset: Dataset, out: Path, base: Path | None = None, **settings: object
) -> dict[str, Any]:
    """Run the stages `predict` and `evaluate` of a metric of rows in this process; by default model against itself.

    `settings` are those that shape the rows.
    """
    family, made = FAMILIES[metric], {}
    gives = next(one for one in family.rows if predict.possible(task, one, dataset))
    found = predict.possible(task, gives, dataset)
    assert found is not None
    fed = narrowed(dataset, found.roles)
    out.mkdir()
    for role, folder in (("model", model), ("reference", base or model)):
        kept(folder, task, gives, fed, out / role, **settings)
        made[role] = out / role
    params = evaluate.Params(family.name, family.revision, {}, {}, ())
    data = narrowed(dataset, family.targets, inputs=False)
    (out / "evaluated").mkdir()
    result: dict[str, Any] = evaluate.run(
        Task("evaluate", params, out / "evaluated", made, {"data": data}), lambda done, total: None
    )
    return result
