"""Compress: `nncf.compress_weights` on an OpenVINO IR."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from types import ModuleType
from typing import TYPE_CHECKING, Any

from runner.base.progress import Progress
from runner.errors import Problem, RecipeError
from runner.model import ir
from runner.model.layout import outputs_first
from runner.model.parts import Model
from runner.nncf import patches, weights
from runner.nncf import process as nncf_process
from runner.recipe.judge.weight_rules import codebook_size
from runner.recipe.types import WeightCompression
from runner.stages import Build, Task, record

if TYPE_CHECKING:
    import openvino as ov

    from runner.data.recorded import Written
    from runner.model.feed import Feed

REVISION = 3
STATISTICS = "statistics"
"""The folder of NNCF's statistics below that of the stage that collects them."""
Counted = dict[str, dict[str, int]]
"""Element type -> how many constants have it, and their bytes."""
_OFF_BY_DEFAULT = ("all_layers", "awq", "scale_estimation", "gptq", "lora_correction")


@dataclass(frozen=True)
class Params:
    """A step of weight compression.

    Attributes:
        step: of the recipe; its dataset is named by its role.
        sequence_length: tokens of a calibration sample, where the recipe states it.
        after_other: whether another step of the recipe compressed the model before.
        part: the only one that is compressed, and written; None for all.
        without: parts that stay as they are.
    """

    step: WeightCompression
    sequence_length: int | None
    after_other: bool
    part: str | None = None
    without: tuple[str, ...] = ()

    @property
    def settings(self) -> Mapping[str, object]:
        """The step as a recipe has it: what is not stated is not there."""
        return {name: value for name, value in vars(self.step).items() if value is not None}


def plan(
    build: Build, step: WeightCompression, section: str, position: int, model: str, without: Collection[str] = ()
) -> str:
    """The stages of a step: statistics where it has data, and the compression.

    Args:
        position: of the step in the recipe.
        model: key of the model that it compresses.
        without: names of parts that stay as they are.
    """
    from runner.stages import statistics

    length, after_other = build.recipe.calibration_length, position > 0
    datasets = {"calibration": record.calibrates(build, step.dataset)} if step.dataset else {}
    named = "calibration" if datasets else None
    params = Params(_plain(step, dataset=named), length, after_other, without=tuple(sorted(without)))
    after = {"model": model}
    if step.dataset:
        wanted = statistics.Params(step.subset_size, length, after_other)
        after["statistics"] = statistics.plan(
            build, wanted, section, step.dataset, record.Fed({"model": model}, datasets)
        )
    read = datasets if step.gptq else {}  # GPTQ's own sums are of the data; what the others need is in the statistics
    return build.add("compress", f"compress to {step.mode}", section, params, after=after, datasets=read)


def plan_part(build: Build, step: WeightCompression, part: str, model: str) -> str:
    """The stage that compresses one part of the model of key `model`, and gives nothing but this part."""
    from runner.stages import statistics

    label, section = f"compress {part} to {step.mode}", f"parts.{part}"
    if not step.dataset:
        params = Params(_plain(step), None, after_other=False, part=part)
        return build.add("compress", label, section, params, after={"model": model})
    length, read = build.recipe.calibration_length, record.fed(build, step, part, section, model)
    wanted = statistics.Params(step.subset_size, length, after_other=False, part=part)
    collected = statistics.plan(build, wanted, section, step.dataset, read)
    params = Params(_plain(step, dataset="calibration"), length, after_other=False, part=part)
    own = read if step.gptq else record.Fed({"model": model}, {})
    return build.add(
        "compress", label, section, params, after={**own.after, "statistics": collected}, datasets=own.datasets
    )


def _plain(step: WeightCompression, dataset: str | None = None) -> WeightCompression:
    """A step in which what is switched off is not stated, and a dataset has the name of its role."""
    stated: dict[str, Any] = {name: None for name in _OFF_BY_DEFAULT if getattr(step, name) is False}
    return replace(step, **stated, dataset=dataset)


def libraries(params: Params) -> tuple[str, ...]:
    """NumPy's BLAS does the sums of data-aware methods; of these, only GPTQ reads the data itself."""
    if params.step.gptq:
        return ("nncf", "numpy", "openvino", "tokenizers")
    return ("nncf", "numpy", "openvino") if params.step.dataset else ("nncf", "openvino")


def template(params: Params) -> str:
    """NNCF is imported once a run, however many points a sweep has."""
    return nncf_process.TEMPLATE


def prepare(params: Params) -> None:
    """Import NNCF."""
    nncf_process.import_nncf()


def run(task: Task[Params], progress: Progress) -> dict[str, object]:
    """Fill `task.out` with the compressed model and everything else of its input's folder."""
    nncf = nncf_process.load(progress)
    whole = Model.of(task.inputs["model"])
    parts = _chosen(whole, task.params)
    _refuse_several(parts, task)
    before: Counted = {}
    after: Counted = {}
    for part in parts:
        model = whole.read(part)
        _add(before, ir.constants(model))
        _compress(nncf, task, model)
        _add(after, ir.constants(model))
        whole.write(model, task.out, part)
    _require_effect(before, after, task.params.settings)
    if task.params.part is None:
        whole.take_rest(task.out, parts)
    return {"constants": dict(sorted(after.items()))}


def _chosen(whole: Model, params: Params) -> list[str]:
    """The parts that are to be compressed.

    Raises:
        RecipeError: the model lacks one that the recipe names, or the recipe has its own settings for all.
    """
    for name in (params.part,) if params.part else params.without:
        whole.require(name)
    if params.part:
        return [params.part]
    chosen = [part for part in whole.parts if part not in params.without]
    if not chosen:
        what = "all parts have settings of their own in `parts`, and nothing is left"
        raise RecipeError([Problem("", "", what, f"remove compression; its parts are {', '.join(whole.parts)}")])
    return chosen


def _refuse_several(parts: Collection[str], task: Task[Params]) -> None:
    """Data and names of operations are those of one network; the plan refuses them where the model is known."""
    if len(parts) > 1 and (task.params.step.dataset or task.params.step.ignored_scope):
        what = f"the model has the parts {', '.join(parts)}, and a dataset or an ignored scope is of one"
        raise RecipeError([Problem("", "dataset", what, "compress its weights without both")])


def _compress(nncf: ModuleType, task: Task[Params], model: ov.Model) -> None:
    """Compress the weights of one part in place."""
    step = task.params.step
    if not task.params.after_other:
        refuse_compressed(model, step.mode)
    nncf_process.refuse_unmatched(step.ignored_scope, model)
    if step.scale_estimation or step.gptq:
        outputs_first(model)
    with weights.worded(nncf, task.params.settings), _awq_heard(step):
        nncf.compress_weights(model, **_arguments(nncf, task, model))
    _forget_path(model, task)


def _add(total: Counted, counted: Counted) -> None:
    """Add what was counted in a part to what was counted before."""
    for kind, found in counted.items():
        sums = total.setdefault(kind, {"count": 0, "bytes": 0})
        for name, number in found.items():
            sums[name] += number


@contextmanager
def _awq_heard(step: WeightCompression) -> Iterator[None]:
    """Fail when NNCF finds nothing that AWQ could scale: it says so in its log alone, and goes on."""
    if not step.awq:
        yield
        return
    with patches.awq_found_nothing() as heard:
        yield
    if heard:
        what = "AWQ finds nothing in this model that it could scale, and would change nothing"
        raise RecipeError([Problem("", "awq", what, "remove it, or try scale_estimation")])


def _arguments(nncf: ModuleType, task: Task[Params], model: ov.Model) -> dict[str, object]:
    """The keyword arguments of `nncf.compress_weights`."""
    step, more = task.params.step, {"statistics_path": _statistics_path(task)} if "statistics" in task.inputs else {}
    arguments = weights.arguments(nncf, step, more)
    if step.dataset:
        arguments |= {"dataset": nncf.Dataset(_calibration(task, model)), "subset_size": step.subset_size}
    return arguments


def _statistics_path(task: Task[Params]) -> str:
    return str(task.inputs["statistics"] / STATISTICS)


def _forget_path(model: ov.Model, task: Task[Params]) -> None:
    """Where the statistics lay is nothing to keep in a model: with it, equal models would differ by their .xml."""
    where = ["nncf", "weight_compression", "advanced_parameters"]
    if "statistics" in task.inputs and model.has_rt_info(where):
        text = str(model.get_rt_info(where).value)
        model.set_rt_info(
            text.replace(f"'statistics_path': {_statistics_path(task)!r}", "'statistics_path': None"), where
        )


def _calibration(task: Task[Params], model: ov.Model) -> Sequence[Feed] | Written:
    """What NNCF reads itself; with statistics at hand, that is nothing unless for GPTQ."""
    if "calibration" not in task.datasets and "recorded" not in task.inputs:
        return []
    return record.items(task, model, task.params.step.subset_size, task.params.sequence_length)


def refuse_compressed(model: ov.Model, asked: str) -> None:
    """NNCF leaves integer weights as they are without a word; a recipe that asks for more must hear it."""
    before = ir.compressed_by(model)
    if before:
        what = f"the model went through NNCF's {before} before, and {asked} would change nothing in it"
        raise RecipeError([Problem("", "mode", what, "start from an uncompressed model")])


def _require_effect(before: Counted, counted: Counted, params: Mapping[str, object]) -> None:
    kind, none = element_type(params), {"count": 0}
    if counted.get(kind, none)["count"] <= before.get(kind, none)["count"]:
        what = f"no layer of the model took {params['mode']} weights"
        allowed = "the ignored scope, the ratio or the group size leaves nothing to compress"
        raise RecipeError([Problem("", "mode", what, allowed)])


_ELEMENT_TYPES = {
    "int8_sym": "i8",
    "int8_asym": "u8",
    "int4_sym": "i4",
    "int4_asym": "u4",
    "int3_sym": "u3",
    "int2_sym": "u2",
    "nf4": "nf4",
    "mxfp4": "f4e2m1",
    "mxfp8_e4m3": "f8e4m3",
    "nvfp4": "f4e2m1",
    "fp4": "f4e2m1",
    "fp8_e4m3": "f8e4m3",
}


def element_type(params: Mapping[str, object]) -> str:
    """The element type that a mode leaves in the IR; a codebook leaves indices into it."""
    size = codebook_size(params)
    return _ELEMENT_TYPES.get(str(params["mode"]), "u4" if size <= 16 else "u8" if size <= 256 else "u16")
