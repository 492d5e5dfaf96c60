"""Plan: a recipe becomes a chain of stages, each with a key made of all that shapes its output.

A key is SHA-256 over the stage's name and revision, its parameters, the keys of the stages it reads, the digests of
the files and datasets it reads, and the versions of the libraries that it says shape its output. A gate's limit is
no part of any key: moving a gate judges the same measurements again.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from runner import stages
from runner.base import keys
from runner.errors import RecipeError
from runner.model import pipeline
from runner.model.parts import part_of
from runner.plan import code_rules, compared, noise
from runner.plan.input_rules import check_inputs
from runner.plan.label_rules import no_classes
from runner.plan.memo import Memo
from runner.plan.model_rules import (
    check_against_config,
    no_adapter,
    no_end,
    no_processor,
    no_tokenizer,
    no_vocoder,
    not_exportable,
    not_seen,
    quantized_before,
)
from runner.plan.part_rules import check_against_parts, unfed_parts, unknown_parts, unread_images, with_state
from runner.plan.pipeline_rules import check_pipeline
from runner.plan.task_rules import not_measured
from runner.plan.types import Measurement, Plan, Stage
from runner.recipe.accuracy import Check
from runner.recipe.judge.weight_rules import INT8
from runner.recipe.types import Dataset, ModelSource, Quantization, Recipe, WeightCompression
from runner.registry.formats import FORMATS
from runner.registry.sources import SOURCES
from runner.registry.tasks import family_of
from runner.sources import Located
from runner.stages import adapter, assemble, compress, convert, evaluate, inputs, quantize, verify
from runner.store import Store


class _Builder:
    """Collects the stages of one recipe; equal keys are one stage."""

    def __init__(self, recipe: Recipe, located: Located, memo: Memo) -> None:
        self.recipe, self.located, self.memo = recipe, located, memo
        self.stages: dict[str, Stage] = {}

    def locate(self, model: ModelSource) -> Located:
        """As `runner.stages.Build` says."""
        return self.memo.locate(model)

    def add(
        self,
        name: str,
        label: str,
        section: str,
        params: Any,
        *,
        after: Mapping[str, str] | None = None,
        files: Mapping[str, tuple[Path, str]] | None = None,
        datasets: Mapping[str, Dataset] | None = None,
        models: Mapping[str, ModelSource] | None = None,
    ) -> str:
        """As `runner.stages.Build` says."""
        module = stages.module(name)
        files, datasets, after, models = files or {}, datasets or {}, after or {}, models or {}
        foreign = set(_foreign(datasets.values(), models.values()))
        document = keys.document(
            stage=name,
            revision=module.REVISION,
            params=asdict(params),
            inputs=after,
            files={role: digest for role, (_, digest) in files.items()},
            datasets={role: self.memo.digest(dataset) for role, dataset in datasets.items()},
            versions={name: keys.version_of(name) for name in sorted({*module.libraries(params), *foreign})},
            # the seed draws the samples; an evaluation reads all of its data
            **({"seed": self.recipe.seed} if "calibration" in datasets else {}),
        )
        key = keys.digest(document)
        paths = {role: path for role, (path, _) in files.items()}
        seed = self.recipe.seed
        stage = Stage(name, label, section, key, document, params, after, paths, datasets, seed, models)
        self.stages.setdefault(key, self.memo.same(stage))
        return key


def make_plan(recipe: Recipe, store: Store, memo: Memo | None = None) -> Plan:
    """Plan a recipe: find its model and data, check them, and give every stage its key.

    `memo` is shared by the plans of one sweep.

    Raises:
        SourceError: the model or a dataset can't be had or read.
        RecipeError: the recipe does not fit its model, as far as can be known now.
    """
    memo = memo or Memo(store)
    located = memo.locate(recipe.model)
    for name in _used_datasets(recipe):
        memo.check(recipe.datasets[name])
    refuse_misfit(recipe, located, located.config)
    builder = _Builder(recipe, located, memo)
    converted = convert.plan(builder)
    base = model = inputs.plan(builder, converted)
    own = _own_settings(recipe, located)
    for position, algorithm in enumerate(recipe.compression):
        model = _step(builder, algorithm, position, model, own)
    model = _parts(builder, base, model, own)
    beside = located.adapter if located.adapter and not located.adapter.merge else None
    whole = adapter.plan(builder, model, beside) if beside else model
    verified = verify.plan(builder, whole)
    checks = enumerate(recipe.accuracy.checks)
    reference = compared.plan(builder, memo, base) if recipe.accuracy.checks else base
    measurements = tuple(_measure(builder, check, i, reference, model) for i, check in checks)
    plan = Plan(recipe, located, tuple(builder.stages.values()), converted, whole, verified, measurements)
    return noise.joined(plan) if recipe.accuracy.noise else plan


def refuse_misfit(recipe: Recipe, located: Located, config: Mapping[str, Any] | None) -> None:
    """Refuse what the model's config.json and task show to be impossible.

    Args:
        config: the model's config.json, as far as it is known by now.

    Raises:
        RecipeError: with every such problem.
    """
    parts = _parts_of(located)
    task, problems = located.task, [*unknown_parts(recipe, parts), *unfed_parts(recipe, located.task, parts)]
    problems += with_state(recipe, task, parts)
    if config and task and located.reader == "transformers":
        problems += [*not_exportable(recipe, config, task), *quantized_before(recipe, config)]
        problems += not_seen(recipe, config, task)
        problems += [*no_processor(recipe, located.files, task), *no_tokenizer(recipe, config, located.files, task)]
        problems += no_end(recipe, config, located.files, task)
    if config and task:
        named = located.files or (located.fetch.files if located.fetch else ())
        problems += no_vocoder(recipe, config, named, task)
    problems += [*code_rules.misfits(recipe, located), *code_rules.metric_misfits(recipe)]
    if located.adapter:
        problems += no_adapter(recipe, located.adapter, config, task)
    if config and located.reader == pipeline.READER:
        problems += check_pipeline(recipe, config, task, located.files)
    if config:
        problems += unread_images(recipe, config, located.files, task, parts)
        problems += [*check_against_config(recipe, config), *check_against_parts(recipe, task, parts)]
        problems += no_classes(recipe, config)
    problems += check_inputs(recipe, located, config, _used_datasets(recipe), parts)
    problems += not_measured(recipe)
    if problems:
        raise RecipeError(problems)


def _parts_of(located: Located) -> Collection[str]:
    """The parts of a model that is converted already, or those that its task gives one that is to be."""
    if located.reader == "openvino":
        return list(dict.fromkeys(part for name in located.files if (part := part_of(name))))
    if located.reader == pipeline.READER and located.config:
        return pipeline.parts(located.config)
    return family_of(located.task).parts_of(located.config) if located.task else ()


def _foreign(datasets: Iterable[Dataset], models: Iterable[ModelSource]) -> Iterator[str]:
    """The packages of others that read what a stage reads."""
    for declared in (*(FORMATS[one.format] for one in datasets), *(SOURCES[one.source] for one in models)):
        if declared.distribution:
            yield declared.distribution


def _used_datasets(recipe: Recipe) -> list[str]:
    controls = [step.accuracy_control for step in recipe.compression if isinstance(step, Quantization)]
    wanted: Iterable[str | None] = [
        *(own.dataset for own in recipe.parts.values() if own),
        *(algorithm.dataset for algorithm in recipe.compression),
        *(control.dataset for control in controls if control),
        *(check.dataset for check in recipe.accuracy.checks),
    ]
    return list(dict.fromkeys(name for name in wanted if name))


def _own_settings(recipe: Recipe, located: Located) -> Mapping[str, WeightCompression | Quantization | None]:
    """The parts that `compression` is not for: those of the recipe, and those that its task wants in 8 bits."""
    fewer = [one for one in recipe.compression if isinstance(one, WeightCompression) and one.mode not in INT8]
    mild = family_of(located.task).mild if fewer and located.reader != "openvino" else ()
    there = _parts_of(located)
    return {**{part: WeightCompression(mode="int8_sym") for part in mild if part in there}, **recipe.parts}


def _step(
    builder: _Builder, step: WeightCompression | Quantization, position: int, model: str, own: Collection[str]
) -> str:
    """The stages of one step of `compression`; `own` are the parts that it is not for."""
    several = isinstance(builder.recipe.resolved.get("compression"), list)
    section = f"compression.{position}" if several else "compression"
    if isinstance(step, WeightCompression):
        return compress.plan(builder, step, section, position, model, own)
    parts = _parts_of(builder.located)
    if len(parts) > 1:
        rest = [part for part in parts if part not in own]
        return quantize.plan_parts(builder, step, section, position, model, rest)
    return quantize.plan(builder, step, section, position, model)


def _parts(
    builder: _Builder, converted: str, model: str, own: Mapping[str, WeightCompression | Quantization | None]
) -> str:
    """The stages of parts with settings of their own, put together with what `compression` made of the rest."""
    made = {part: _part(builder, step, part, converted) for part, step in own.items() if step is not None}
    return assemble.plan(builder, model, made) if made else model


def _part(builder: _Builder, step: WeightCompression | Quantization, part: str, converted: str) -> str:
    if isinstance(step, WeightCompression):
        return compress.plan_part(builder, step, part, converted)
    return quantize.plan_part(builder, step, part, converted)


def _measure(builder: _Builder, check: Check, position: int, reference: str, model: str) -> Measurement:
    key, base = evaluate.plan(builder, check, f"accuracy.checks.{position}", reference, model)
    return Measurement(check, key, base)
