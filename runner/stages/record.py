"""Record: what goes into one part of a converted model while the whole is used on a dataset, for its quantization."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from runner.base.progress import Progress
from runner.recipe.datasets import calibrating, kinds
from runner.recipe.types import Dataset, Quantization, WeightCompression
from runner.registry.tasks import TASKS, TaskFamily, family_of
from runner.stages import Build, P, Task, verify

if TYPE_CHECKING:
    import openvino as ov

    from runner.data.recorded import Written
    from runner.model.feed import Feed

REVISION = 3


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


@dataclass(frozen=True)
class Fed:
    """What a stage that calibrates a model or a part of it reads.

    Attributes:
        after: role -> key of a stage.
        datasets: by their roles; none where what they give was recorded.
    """

    after: Mapping[str, str]
    datasets: Mapping[str, Dataset]


def calibrates(build: Build, name: str) -> Dataset:
    """What a model of one part reads of a dataset to be calibrated: images first where they feed it."""
    return calibrating(build.recipe.datasets[name], images=family_of(build.located.task).fed_by("image"))


def fed(build: Build, step: Quantization | WeightCompression, part: str, section: str, model: str) -> Fed:
    """What calibrates a part of the model of key `model`: its own inputs by name, or what is recorded of the whole."""
    family, dataset = family_of(build.located.task), build.recipe.datasets[str(step.dataset)]
    if needed(family, part, dataset):
        return Fed({"model": model, "recorded": plan(build, family, step, part, section, model)}, {})
    return Fed({"model": model}, {"calibration": calibrating(dataset)})


def needed(family: TaskFamily, part: str, dataset: Dataset) -> bool:
    """Whether a dataset feeds the whole model, and not the part itself."""
    if family.cached:
        return part in family.cached
    through = part in (*family.text_parts, *family.image_parts)
    return family.record is not None and through and "arrays" not in kinds(dataset)


def plan(
    build: Build, family: TaskFamily, step: Quantization | WeightCompression, part: str, section: str, model: str
) -> str:
    """The stage for a part of the model of key `model`."""
    dataset = build.recipe.datasets[str(step.dataset)]
    data = {"calibration": calibrating(dataset, images=part in family.image_parts)}
    length = build.recipe.calibration_length if family.cached else None
    params = Params(family.name, part, step.subset_size, length)
    label = f"record the inputs of {part}"
    return build.add("record", label, section, params, after={"model": model}, datasets=data)


def libraries(params: Params) -> tuple[str, ...]:
    """The task's own: what uses the model; and what reads images."""
    family = TASKS[params.family]
    images = ("pillow",) if params.part in family.image_parts else ()
    return tuple(dict.fromkeys(("numpy", "tokenizers", *images, *family.versions)))


def template(params: Params) -> str | None:
    """As the trial's, which uses the model too."""
    return verify.template(_trial(params))


def prepare(params: Params) -> None:
    """Import what uses the model, as the trial does."""
    verify.prepare(_trial(params))


def _trial(params: Params) -> verify.Params:
    return verify.Params(params.family, TASKS[params.family].revision)


def run(task: Task[Params], progress: Progress) -> dict[str, object]:
    """Fill `task.out` with a file for each item."""
    from runner.data.recorded import Wanted, write

    params = task.params
    wanted = Wanted(task.datasets["calibration"], params.subset_size, task.seed, params.length)
    record = TASKS[params.family].record
    assert record is not None
    heard = record(task.inputs["model"], params.part, wanted)
    return {"items": write(_counted(heard, progress, params.subset_size), task.out)}


def _counted(items: Iterable[Feed], progress: Progress, most: int) -> Iterator[Feed]:
    """The items, each of them reported; there may be fewer than the most."""
    for count, item in enumerate(items, start=1):
        progress(count, most)
        yield item


def items(task: Task[P], model: ov.Model, subset_size: int, sequence_length: int | None) -> Sequence[Feed] | Written:
    """What calibrates a model or a part of it: what was recorded, or what its dataset gives by itself."""
    from runner.data.calibration import calibration_items
    from runner.data.recorded import Written

    if "recorded" in task.inputs:
        return Written(task.inputs["recorded"])
    data = task.datasets["calibration"]
    return calibration_items(data, model, task.inputs["model"], subset_size, task.seed, sequence_length)
