"""Record: what goes into one part of a converted model while the whole is used on a dataset, for its quantization."""

from __future__ import annotations

from dataclasses import dataclass

from runner.base.progress import Progress
from runner.recipe.datasets import calibrating, kinds
from runner.recipe.types import Dataset, Quantization
from runner.registry.tasks import TASKS, TaskFamily
from runner.stages import Build, Task

REVISION = 2


@dataclass(frozen=True)
class Params:
    """What is recorded.

    Attributes:
        family: of tasks.
        part: whose inputs.
        subset_size: the most items.
        length: the most tokens of a text that a model reads at once, where the recipe states it.
    """

    family: str
    part: str
    subset_size: int
    length: int | None = None


def needed(family: TaskFamily, part: str, dataset: Dataset) -> bool:
    """Whether a dataset feeds the whole model, and not the part itself."""
    if family.cached:
        return part in family.cached
    return family.record is not None and part in family.text_parts and "arrays" not in kinds(dataset)


def plan(build: Build, family: TaskFamily, step: Quantization, part: str, section: str, model: str) -> str:
    """The stage for a part of the model of key `model`."""
    data = {"calibration": calibrating(build.recipe.datasets[step.dataset])}
    length = build.recipe.calibration_length if family.cached else None
    params = Params(family.name, part, step.subset_size, length)
    label = f"record the inputs of {part}"
    return build.add("record", label, section, params, after={"model": model}, datasets=data)


def libraries(params: Params) -> tuple[str, ...]:
    """The task's own: what uses the model."""
    return tuple(dict.fromkeys(("numpy", "tokenizers", *TASKS[params.family].versions)))


def prepare(params: Params) -> None:
    """Import what uses the model."""
    from runner.model import trial

    trial.import_for(libraries(params))


def run(task: Task[Params], progress: Progress) -> dict[str, object]:
    """Fill `task.out` with a file for each item."""
    from runner.data.recorded import Wanted, write

    params = task.params
    wanted = Wanted(task.datasets["calibration"], params.subset_size, task.seed, params.length)
    record = TASKS[params.family].record
    assert record is not None
    count = write(record(task.inputs["model"], params.part, wanted), task.out)
    return {"items": count}
