"""Own metric: a function of the user's own file measures a model beside its reference, on one dataset.

It is given what the stage `predict` kept of the rows of both, or both models themselves. Nothing of the file runs
before this stage, in no other process, and only by the person's own word.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from runner.base import hardware
from runner.base.progress import Progress
from runner.errors import Problem, RecipeError
from runner.recipe.accuracy import Check
from runner.recipe.datasets import kinds, narrowed
from runner.recipe.types import Dataset
from runner.registry.metrics import Gives
from runner.registry.own import CODE, GIVES, Own, declared
from runner.registry.predicting import OF_ARRAYS, not_given
from runner.registry.tasks import family_of
from runner.sources.python_file import digest, imports, parsed
from runner.stages import Build, Task, predict

if TYPE_CHECKING:
    from runner.metrics.figures import Measured
    from runner.metrics.own import Row, Scoring

REVISION = 1
ROWS = "rows.npz"
_FILES = ("image", "audio")


@dataclass(frozen=True)
class Params:
    """What is measured, and how.

    Attributes:
        own: what the recipe says, with the roles that are handed over and what is kept of the model.
        whole: whether the function is given the folder of the model, and not the compiled model; where it takes either.
        runtime: OpenVINO properties; none where no model runs.
        cpu: what shapes numbers in this processor.
    """

    own: Own
    whole: bool
    runtime: Mapping[str, object]
    cpu: tuple[str, ...]


def sent(build: Build, own: Own, dataset: Dataset, key: str) -> Own:
    """What a stage is told: no path, what is kept of the model, the roles that are handed over, what the file imports.

    Args:
        key: of the metric in the recipe.

    Raises:
        RecipeError: the model gives no such rows for the dataset.
        SourceError: the file imports what no version tells of.
    """
    rows, needs = own.rows, own.needs
    if own.takes == "predictions":
        task = build.located.task
        rows = next(iter(first_of(task, own, dataset)), None)
        if rows is None:
            wanted = declared(own).rows
            told = not_given(own.name, wanted, dataset.name, task, family_of(task).predicts)
            raise RecipeError([Problem(build.recipe.where(key), key, *told)])
    if needs is None:
        columns = set(dataset.columns) | (kinds(dataset) & {"text"})
        needs = tuple(sorted(columns - set(_FILES)))
    used = imports(own.file, parsed(own.file))
    return replace(own, path=own.file.name, rows=rows, needs=needs, imports=used)


def first_of(task: str | None, own: Own, dataset: Dataset) -> tuple[Gives, ...]:
    """What is kept of a model: what the recipe says, or the first that the task gives; nothing where it gives none."""
    usual = [*(one.gives for one in family_of(task).predicts), "outputs", *(one.gives for one in OF_ARRAYS)]
    found = predict.first(task, [own.rows] if own.rows else usual, dataset)
    return tuple(one for one in GIVES if one == found)


def code(own: Own) -> dict[str, tuple[Path, str]]:
    """The file as a stage reads it, with its digest."""
    return {CODE: (own.file, digest(own.file))}


def plan(build: Build, check: Check, own: Own, section: str, models: Mapping[str, str]) -> str:
    """The stage of a check.

    Args:
        models: `model` and `reference` -> key of the stage that has it.
    """
    dataset = build.recipe.datasets[check.dataset]
    told = sent(build, own, dataset, f"{section}.metric")
    data, after = narrowed(dataset, told.needs or (), inputs=False) if told.needs else None, dict(models)
    params = Params(told, False, {}, ())
    if own.takes == "model":
        task = family_of(build.located.task)
        whole = task.gives == "next tokens" or len(task.parts_of(build.located.config)) > 1
        params = Params(told, whole, dict(build.recipe.accuracy.runtime), tuple(hardware.arithmetic()))
        data = narrowed(dataset, told.needs or ())
    else:
        asked = (str(told.rows), check.dataset, check.params, section)
        after = {role: predict.plan(build, *asked, key, role) for role, key in models.items()}
    label, datasets = f"evaluate {own.name} on {check.dataset}", {"data": data} if data else {}
    return build.add("own_metric", label, section, params, after=after, files=code(own), datasets=datasets)


def libraries(params: Params) -> tuple[str, ...]:
    """Of what is done with its numbers, of what the file imports, and OpenVINO where models run."""
    return ("numpy", "scipy", *params.own.imports, *(("openvino",) if params.own.takes == "model" else ()))


def prepare(params: Params) -> None:
    """Import the runtime where models run."""
    if params.own.takes == "model":
        from runner.model import runtime

        runtime.import_runtimes()


def run(task: Task[Params], progress: Progress) -> dict[str, object]:
    """Measure; the scores of rows stay in `task.out`."""
    import numpy as np

    found, numbers = _of_models(task) if task.params.own.takes == "model" else _of_rows(task)
    base_rows = np.empty((0, 0)) if found.reference is None else found.reference
    places = np.asarray(numbers or range(len(found.statistics)))
    np.savez_compressed(task.out / ROWS, model=found.statistics, reference=base_rows, numbers=places)
    return found.result


def _of_rows(task: Task[Params]) -> tuple[Measured, list[int]]:
    """Of what was kept of both models."""
    from runner.metrics.figures import targets_of
    from runner.metrics.kept import Kept
    from runner.metrics.own import measured, rows_of

    own, scoring = task.params.own, _scoring(task)
    kept, base = (Kept.read(task.inputs[role]) for role in ("model", "reference"))
    targets, numbers = targets_of(task.datasets["data"], own.needs or ()) if own.needs else ({}, [])
    rows = rows_of(targets, kept.count)
    scores, other = (scoring(one.values, rows) for one in (kept, base))
    return measured(own, scores, other, {**kept.protocol, **_told(task)}, kept.count, numbers), numbers


def _of_models(task: Task[Params]) -> tuple[Measured, list[int]]:
    """Of the models themselves."""
    from runner.metrics.own import measured
    from runner.model.runtime import compile_folder, effective, refuse_other_cpu

    refuse_other_cpu(task.params.cpu)
    own, params, found = task.params.own, task.params, []
    rows, numbers = _rows(task.datasets["data"], own)
    for folder in (task.inputs["model"], task.inputs["reference"]):
        given = folder if params.whole else compile_folder(folder, params.runtime).model
        found.append(_scoring(task, folder)(given, rows))
    protocol = {"runtime": effective(params.runtime), **_told(task)}
    return measured(own, found[0], found[1], protocol, len(rows), numbers), numbers


def _scoring(task: Task[Params], *readable: Path) -> Scoring:
    from runner.export.user_function import UserFunction
    from runner.metrics.own import Scoring

    function = UserFunction(task.inputs[CODE], task.params.own, task.out, readable)
    return Scoring(function, function.name)


def _rows(dataset: Dataset, own: Own) -> tuple[list[Row], list[int]]:
    """The rows with what feeds the model where that is arrays, by the names of its inputs."""
    from runner.data import read_arrays
    from runner.metrics.figures import targets_of
    from runner.metrics.own import rows_of

    targets, numbers = targets_of(dataset, own.needs or ())
    if not dataset.inputs:
        return rows_of(targets, len(numbers)), numbers
    arrays = read_arrays(dataset)
    fed = {name: [*array] for name, array in arrays.batch(0, len(arrays)).items()}
    return rows_of({**fed, **targets}, len(arrays)), numbers


def _told(task: Task[Params]) -> dict[str, object]:
    own = task.params.own
    return {"function": f"{own.path}:{own.function}", "rows": own.rows or "model", "settings": own.arguments}
