"""Statistics: what a model's layers see while it reads calibration data, collected once for all settings.

NNCF's own collection, in NNCF's own files: for each matrix multiplication the means of the input's channels by sample,
and the numbers that the sensitivity metrics are made of. They follow from the model and the data alone, not from mode,
ratio, group size, ignored scope or method.
"""

from __future__ import annotations

from dataclasses import dataclass

from runner.base.progress import Progress
from runner.model import ir
from runner.model.parts import Model
from runner.nncf import patches
from runner.nncf import process as nncf_process
from runner.stages import Build, Task, record
from runner.stages.compress import STATISTICS, refuse_compressed

REVISION = 1


@dataclass(frozen=True)
class Params:
    """What of the data is looked at.

    Attributes:
        subset_size: samples.
        sequence_length: tokens of each, where the recipe states it.
        after_other: whether another step of the recipe compressed the model before.
        part: the only one that is looked at; None for a model of one part.
    """

    subset_size: int
    sequence_length: int | None
    after_other: bool
    part: str | None = None


def plan(build: Build, params: Params, section: str, name: str, read: record.Fed) -> str:
    """The stage for a model and its calibration data; the same for all settings of a compression.

    Args:
        name: of the dataset in the recipe.
        read: the model and what calibrates it.
    """
    label = f"collect statistics of {params.part} on {name}" if params.part else f"collect statistics on {name}"
    return build.add("statistics", label, section, params, after=read.after, datasets=read.datasets)


def libraries(params: Params) -> tuple[str, ...]:
    """Calibration runs the model and, for text, its tokenizer."""
    return ("nncf", "numpy", "openvino", "tokenizers")


def template(params: Params) -> str:
    """NNCF is imported once a run, however many points a sweep has."""
    return nncf_process.TEMPLATE


def prepare(params: Params) -> None:
    """Import NNCF."""
    nncf_process.import_nncf()


def run(task: Task[Params], progress: Progress) -> dict[str, object]:
    """Fill `task.out` with a folder of statistics that the stage `compress` gives to NNCF."""
    nncf = nncf_process.load(progress)
    source, params = task.inputs["model"], task.params
    model = Model.of(source).read(params.part)
    if not params.after_other:
        refuse_compressed(model, "compressing its weights")
    items = record.items(task, model, params.subset_size, params.sequence_length)
    if "recorded" in task.inputs:
        ir.widen_first_states(model)
    from nncf.openvino.graph.model_utils import remove_friendly_name_duplicates
    from nncf.quantization.statistics_caching import cache_weight_compression_statistics

    model = remove_friendly_name_duplicates(model)
    graph = nncf.build_graph(model)
    with patches.without_outputs(model):
        cache_weight_compression_statistics(
            model, graph, nncf.Dataset(items), params.subset_size, task.out / STATISTICS
        )
    return {"calibration_items": len(items)}
