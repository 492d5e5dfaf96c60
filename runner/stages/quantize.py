"""Quantize: `nncf.quantize` on an OpenVINO IR, weights and activations in 8 bits; with accuracy control where asked."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import runner.base.files as fs
from runner.base import hardware
from runner.base.progress import Progress
from runner.base.values import numeric, section
from runner.errors import Problem, RecipeError
from runner.model import architecture, ir
from runner.model.parts import Model
from runner.nncf import hybrid
from runner.nncf import process as nncf_process
from runner.nncf import quantization as nncf_quantization
from runner.nncf.control import Control
from runner.recipe.datasets import narrowed
from runner.recipe.judge.quantization_rules import NO_SLOW_CORRECTION, smooths
from runner.recipe.types import AccuracyControl, Quantization, WeightCompression
from runner.registry.metrics import FAMILIES
from runner.registry.metrics import settings as stated
from runner.registry.own import CODE, family_of, metric_of
from runner.registry.predicting import not_searched
from runner.stages import Build, Task, assemble, own_metric, predict, record

if TYPE_CHECKING:
    import openvino as ov

REVISION = 4
_QUANTIZERS = ("FakeQuantize", "FakeConvert")
_UNEVEN = ("Elu", "Gelu", "HSigmoid", "HSwish", "Mish", "PRelu", "Selu", "SoftPlus", "Swish")
"""Activation functions whose values do not start at 0 as those of ReLU do."""


@dataclass(frozen=True)
class Params:
    """A step of quantization.

    Attributes:
        step: of the recipe; its datasets are named by their roles, and its accuracy control is
        control: what it has to keep, or None.
        target_device: as the recipe names it.
        sequence_length: tokens of a calibration sample, where the recipe states it.
        after_weight_compression: whether a step of the recipe compressed weights before.
        part: the only one that is quantized, and written; None for a model of one part.
    """

    step: Quantization
    control: Control | None
    target_device: str
    sequence_length: int | None
    after_weight_compression: bool
    part: str | None = None


def plan(build: Build, step: Quantization, section: str, position: int, model: str) -> str:
    """The stage of a step.

    Args:
        position: of the step in the recipe.
        model: key of the model that it quantizes.
    """
    recipe, label = build.recipe, f"quantize to {step.mode or 'int8'}"
    datasets, files = {"calibration": record.calibrates(build, step.dataset)}, {}
    control = None
    if step.accuracy_control is not None:
        settings, name = step.accuracy_control, step.accuracy_control.dataset
        if settings.own:
            files = own_metric.code(settings.own)
            told = own_metric.sent(build, settings.own, recipe.datasets[name], f"{section}.accuracy_control.metric")
            settings = replace(settings, own=told)
        control = _control(build, settings, f"{section}.accuracy_control")
        data, fed = metric_of(settings).data, control.rows.way.roles if control.rows else ()
        datasets["validation"] = narrowed(recipe.datasets[name], {*data, *fed})
        label += f", {step.accuracy_control.metric} controlled"
    params = Params(
        step=replace(step, dataset="calibration", accuracy_control=None),
        control=control,
        target_device=recipe.target_device,
        sequence_length=recipe.calibration_length,
        after_weight_compression=any(isinstance(one, WeightCompression) for one in recipe.compression[:position]),
    )
    return build.add("quantize", label, section, params, after={"model": model}, files=files, datasets=datasets)


def plan_parts(
    build: Build, step: Quantization, section: str, position: int, model: str, parts: Collection[str]
) -> str:
    """The stages of a step that quantizes parts of a model, each by itself.

    Args:
        position: of the step in the recipe.
        model: key of the model that has them.
        parts: their names.
    """
    made = {part: plan_part(build, step, part, model, section, position) for part in parts}
    return assemble.plan(build, model, made)


def plan_part(
    build: Build, step: Quantization, part: str, model: str, section: str | None = None, position: int = 0
) -> str:
    """The stage that quantizes one part of the model of key `model`, and gives nothing but this part.

    Args:
        section: the recipe's key of the step; by default that of the part.
        position: of the step in the recipe, if it is one of `compression`.
    """
    section = section or f"parts.{part}"
    recipe, read = build.recipe, record.fed(build, step, part, section, model)
    own, length = replace(step, dataset="calibration"), recipe.calibration_length
    after_weights = any(isinstance(one, WeightCompression) for one in recipe.compression[:position])
    params = Params(own, None, recipe.target_device, length, after_weights, part)
    label = f"quantize {part} to {step.mode or 'int8'}"
    return build.add("quantize", label, section, params, after=read.after, datasets=read.datasets)


def _control(build: Build, settings: AccuracyControl, section: str) -> Control:
    """Accuracy control's own part; its dataset's digest is in the key besides.

    Raises:
        RecipeError: the model doesn't give what the metric is measured on, or not by one network.
    """
    family, info, runtime = family_of(settings), metric_of(settings), build.recipe.accuracy.runtime
    named = replace(settings, dataset="validation")
    rows = None
    if family.function is not None:
        task, given = build.located.task, settings.params if settings.own else stated(info, settings.params)
        gives = settings.own.rows if settings.own else predict.given(build, info.name, settings.dataset, section)
        rows = predict.rows(task, str(gives), build.recipe.datasets[settings.dataset], given)
        if not rows.way.network:
            key, what = f"{section}.metric", not_searched(info.name, str(gives), task)
            raise RecipeError([Problem(build.recipe.where(key), key, what)])
    return Control(named, family.name, family.revision, dict(runtime), tuple(hardware.arithmetic()), rows)


def libraries(params: Params) -> tuple[str, ...]:
    """Calibration runs the model and, for text, its tokenizer; accuracy control what its metric takes."""
    control = params.control
    own = control.settings.own if control else None
    searched = FAMILIES[control.family].versions if control and not own else ()
    fed = control.rows.libraries if control and control.rows else ()
    return ("nncf", "numpy", "openvino", "tokenizers", *searched, *fed, *(("scipy", *own.imports) if own else ()))


def template(params: Params) -> str:
    """NNCF is imported once a run, however many points a sweep has."""
    return nncf_process.TEMPLATE


def prepare(params: Params) -> None:
    """Import NNCF."""
    nncf_process.import_nncf()


def run(task: Task[Params], progress: Progress) -> dict[str, object]:
    """Fill `task.out` with the quantized model and everything else of its input's folder."""
    nncf = nncf_process.load(progress)
    params, step, source = task.params, task.params.step, task.inputs["model"]
    whole = Model.of(source)
    if params.part:
        whole.require(params.part)
    model = whole.read(params.part)
    _refuse_compressed(model, params)
    nncf_process.refuse_unmatched(step.ignored_scope, model)
    model_type = _model_type(step, source, model)
    _refuse_in_vain(model, step, model_type)
    if step.hybrid:
        with nncf_process.refusals_worded(nncf):
            step = hybrid.compress(nncf, step, model)
    items = record.items(task, model, step.subset_size, params.sequence_length)
    if "recorded" in task.inputs:
        ir.widen_first_states(model)
    arguments = nncf_quantization.arguments(nncf, step, params.target_device, model_type)
    notes = _advice(model, step, model_type)
    search = None
    with nncf_process.refusals_worded(nncf):
        if params.control is None:
            model = nncf.quantize(model, nncf.Dataset(items), **arguments)
        else:
            from runner.nncf import accuracy_control

            validation, code = task.datasets["validation"], task.inputs.get(CODE)
            search = accuracy_control.begin(params.control, source, validation, task.out, code)
            model = accuracy_control.quantize(nncf, model, nncf.Dataset(items), arguments, search)
    result: dict[str, object] = {
        "constants": ir.constants(model),
        "quantizers": _count_quantizers(model),
        "calibration_items": len(items),
        "model_type": model_type,
    }
    whole.write(model, task.out, params.part)
    if params.part is None:
        whole.take_rest(task.out)
    if search:
        result["accuracy_control"], sentence = search.finish()
        notes.append(sentence)
    return result | {"notes": notes}


def _refuse_compressed(model: ov.Model, params: Params) -> None:
    before = ir.compressed_by(model)
    if before and not (before == "weight_compression" and params.after_weight_compression):
        what = f"the model went through NNCF's {before} before; quantizing it again would only add error"
        raise RecipeError([Problem("", "algorithm", what, "start from an uncompressed model")])


def _model_type(step: Quantization, source: Path, model: ov.Model) -> str | None:
    """What the recipe says, else what the model's configuration or its operations show."""
    if step.model_type is not None:
        return None if step.model_type == "none" else step.model_type
    config = source / "config.json"
    known = architecture.is_transformer(fs.read_object(config)) if config.is_file() else None
    return "transformer" if known or ir.has_attention(model) else None


def _refuse_in_vain(model: ov.Model, step: Quantization, model_type: str | None) -> None:
    """Refuse what NNCF would not do to this model, or would ignore without a word."""
    from runner.model.feed import fixed_batch, keeps_state, ports

    problems, advanced, kinds = [], step.advanced or {}, ir.kinds(model)
    if smooths({"advanced": step.advanced}) and model_type is None:
        what = "NNCF smooths transformers only, and this model has no attention"
        problems.append(
            Problem("", "advanced.smooth_quant_alphas", what, "remove it, or state `model_type: transformer`")
        )
    elif numeric(section(advanced, "smooth_quant_alphas").get("convolution", -1)) >= 0 and "Convolution" not in kinds:
        what = "this model has no convolutions"
        problems.append(Problem("", "advanced.smooth_quant_alphas.convolution", what, "remove it"))
    if advanced.get("batchwise_statistics") and (fixed_batch(ports(model)) or 1) == 1:
        what = "does nothing: this model is calibrated with one item at a time, it has no fixed batch size above 1"
        problems.append(Problem("", "advanced.batchwise_statistics", what, "remove it"))
    if not step.fast_bias_correction and ("If" in kinds or keeps_state(ports(model))):
        without = "NNCF has the slower bias correction only for models without If operations"
        what = NO_SLOW_CORRECTION if keeps_state(ports(model)) else without
        problems.append(Problem("", "fast_bias_correction", what, "remove it"))
    if problems:
        raise RecipeError(problems)


def _advice(model: ov.Model, step: Quantization, model_type: str | None) -> list[str]:
    """What might serve this model better, for the person to decide."""
    if step.mode or step.preset == "mixed" or (model_type and step.preset is None):
        return []
    asked = section(step.advanced or {}, "activations_quantization_params").get("mode")
    found = sorted(ir.kinds(model) & set(_UNEVEN))
    if not found or asked:
        return []
    told = " and ".join(found)
    return [f"the model has {told} activations, which are not symmetric: `preset: mixed` may lose less"]


def _count_quantizers(model: ov.Model) -> int:
    """How many operations quantize.

    Raises:
        RecipeError: none does.
    """
    count = sum(node.get_type_name() in _QUANTIZERS for node in model.get_ops())
    if not count:
        allowed = "the ignored scope leaves nothing to quantize"
        raise RecipeError([Problem("", "algorithm", "no layer of the model was quantized", allowed)])
    return count
