"""Plan: a recipe becomes a chain of stages, each with a key made of all that shapes its output.

A key is SHA-256 over the stage's name and revision, its parameters, the keys of the stages it reads, the digests of
the files and datasets it reads, and the versions of the libraries that it says shape its output. A gate's limit is
no part of any key: moving a gate judges the same measurements again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from runner import stages
from runner.base import hardware, keys
from runner.errors import Problem, RecipeError
from runner.nncf.process import as_params
from runner.plan.memo import Memo
from runner.plan.model_rules import check_against_config
from runner.plan.types import Measurement, Plan, Stage
from runner.recipe.datasets import narrowed
from runner.recipe.types import AccuracyControl, Check, Dataset, ModelSource, Quantization, Recipe, WeightCompression
from runner.registry.metrics import METRICS, family_of, settings
from runner.sources import Located
from runner.store import Store


class _Builder:
    """Collects the stages of one recipe; equal keys are one stage."""

    def __init__(self, seed: int, memo: Memo) -> None:
        self.seed, self.memo = seed, memo
        self.stages: dict[str, Stage] = {}

    def add(
        self,
        name: str,
        label: str,
        section: str,
        params: Mapping[str, Any],
        *,
        after: Mapping[str, str] | None = None,
        files: Mapping[str, tuple[Path, str]] | None = None,
        datasets: Mapping[str, Dataset] | None = None,
        models: Mapping[str, ModelSource] | None = None,
    ) -> str:
        module = stages.module(name)
        files, datasets, after = files or {}, datasets or {}, after or {}
        document = keys.document(
            stage=name,
            revision=module.REVISION,
            params=params,
            inputs=after,
            files={role: digest for role, (_, digest) in files.items()},
            datasets={role: self.memo.digest(dataset) for role, dataset in datasets.items()},
            versions={library: keys.version_of(library) for library in sorted(module.libraries(params))},
            # the seed draws the samples; an evaluation reads all of its data
            **({"seed": self.seed} if "calibration" in datasets else {}),
        )
        key = keys.digest(document)
        paths = {role: path for role, (path, _) in files.items()}
        stage = Stage(name, label, section, key, document, params, after, paths, datasets, self.seed, models or {})
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
    refuse_misfit(recipe, located.config)
    builder = _Builder(recipe.seed, memo)
    converted = _convert(builder, recipe, located)
    model = converted
    for position, algorithm in enumerate(recipe.compression):
        model = _optimize(builder, recipe, model, algorithm, position)
    verified = builder.add("verify", "verify", "", {}, after={"model": model})
    checks = enumerate(recipe.accuracy.checks)
    measurements = tuple(_measure(builder, recipe, check, i, converted, model) for i, check in checks)
    return Plan(recipe, located, tuple(builder.stages.values()), converted, model, verified, measurements)


def refuse_misfit(recipe: Recipe, config: Mapping[str, Any] | None) -> None:
    """Refuse what the model's config.json shows to be impossible.

    Raises:
        RecipeError: with every such problem.
    """
    problems: list[Problem] = check_against_config(recipe, config) if config else []
    if problems:
        raise RecipeError(problems)


def _used_datasets(recipe: Recipe) -> list[str]:
    controls = [step.accuracy_control for step in recipe.compression if isinstance(step, Quantization)]
    wanted: Iterable[str | None] = [
        *(algorithm.dataset for algorithm in recipe.compression),
        *(control.dataset for control in controls if control),
        *(check.dataset for check in recipe.accuracy.checks),
    ]
    return list(dict.fromkeys(name for name in wanted if name))


def _convert(builder: _Builder, recipe: Recipe, located: Located) -> str:
    params: dict[str, Any] = {"reader": located.reader, "precision": recipe.conversion.precision}
    if located.reader == "transformers":
        params |= {
            "task": located.task,
            "stateful": recipe.conversion.stateful,
            "tokenizer": recipe.conversion.tokenizer,
            "trust_remote_code": recipe.model.trust_remote_code,
            "allow_pickle": recipe.model.allow_pickle,
        }
    else:
        params["shapes"] = [asdict(info) for info in recipe.input_info]
    label = f"convert to {recipe.conversion.precision}"
    if located.fetch is not None:
        fetched = builder.add("fetch", f"fetch {located.identity['id']}", "model", located.fetch)
        return builder.add("convert", label, "conversion", params, after={"source": fetched})
    assert located.path is not None and located.digest is not None
    files = {"source": (located.path, located.digest)}
    return builder.add("convert", label, "conversion", params, files=files, models={"source": recipe.model})


_OFF_BY_DEFAULT = ("all_layers", "awq", "scale_estimation", "gptq", "lora_correction")


def _optimize(
    builder: _Builder,
    recipe: Recipe,
    model: str,
    algorithm: WeightCompression | Quantization,
    position: int,
) -> str:
    section = f"compression.{position}" if isinstance(recipe.resolved.get("compression"), list) else "compression"
    params = {k: v for k, v in asdict(algorithm).items() if k not in ("algorithm", "ignored_scope")}
    params |= {name: None for name in _OFF_BY_DEFAULT if params.get(name) is False}
    params["ignored_scope"] = as_params(algorithm.ignored_scope)
    params["sequence_length"] = _sequence_length(recipe)
    datasets = {"calibration": _calibration(recipe.datasets[algorithm.dataset])} if algorithm.dataset else {}
    params["dataset"] = bool(datasets)
    if isinstance(algorithm, WeightCompression):
        label = f"compress to {algorithm.mode}"
        params["after_other"] = position > 0
        after = {"model": model}
        if datasets:
            after["statistics"] = _statistics(builder, algorithm, section, params, model, datasets)
        read = datasets if algorithm.gptq else {}
        return builder.add("compress", label, section, params, after=after, datasets=read)
    params["target_device"] = recipe.target_device
    earlier = recipe.compression[:position]
    params["after_weight_compression"] = any(isinstance(step, WeightCompression) for step in earlier)
    label = f"quantize to {algorithm.mode or 'int8'}"
    if algorithm.accuracy_control is not None:
        wanted = METRICS[algorithm.accuracy_control.metric].data
        datasets["validation"] = narrowed(recipe.datasets[algorithm.accuracy_control.dataset], wanted)
        params["accuracy_control"] = _control(recipe, algorithm.accuracy_control)
        label += f", {algorithm.accuracy_control.metric} controlled"
    return builder.add("quantize", label, section, params, after={"model": model}, datasets=datasets)


def _calibration(dataset: Dataset) -> Dataset:
    """What calibration reads of a dataset: text, or else pairs, or arrays without labels."""
    return narrowed(dataset, ("text", "pairs", "arrays"))


def _statistics(
    builder: _Builder,
    algorithm: WeightCompression,
    section: str,
    params: Mapping[str, Any],
    model: str,
    datasets: Mapping[str, Dataset],
) -> str:
    """What calibration data tell of a model; the same for all settings of a compression, GPTQ's own sums apart."""
    chosen = {name: params[name] for name in ("subset_size", "sequence_length", "after_other")}
    label = f"collect statistics on {algorithm.dataset}"
    return builder.add("statistics", label, section, chosen, after={"model": model}, datasets=datasets)


def _control(recipe: Recipe, control: AccuracyControl) -> dict[str, Any]:
    """Accuracy control's own part of the parameters; its dataset's digest is in the key besides."""
    family = family_of(control.metric)
    return {
        **{name: value for name, value in asdict(control).items() if name != "dataset"},
        "family": family.name,
        "family_revision": family.revision,
        "runtime": dict(recipe.accuracy.runtime),
        "cpu": hardware.arithmetic(),
    }


def _sequence_length(recipe: Recipe) -> int | None:
    """The calibration length in tokens that NNCF's `input_info` asks for."""
    return recipe.input_info[0].sample_size[-1] if recipe.input_info else None


def _measure(builder: _Builder, recipe: Recipe, check: Check, position: int, converted: str, model: str) -> Measurement:
    info = METRICS[check.metric]
    family = family_of(check.metric)
    dataset = {"data": narrowed(recipe.datasets[check.dataset], info.data)}
    section = f"accuracy.checks.{position}"
    params = {
        "family": info.family,
        "family_revision": family.revision,
        "params": settings(info, check.params),
        "runtime": dict(recipe.accuracy.runtime),
        "cpu": hardware.arithmetic(),
    }
    what = f"{info.family.replace('_', ' ')} on {check.dataset}"
    if family.needs_reference:
        after = {"model": converted}
        reference = builder.add("reference", f"reference for {what}", section, params, after=after, datasets=dataset)
        after = {"model": model, "reference": reference}
        key = builder.add("evaluate", f"evaluate {what}", section, params, after=after, datasets=dataset)
        return Measurement(check, key, None)
    base = None
    if check.max_drop is not None or check.max_relative_increase is not None:
        base = builder.add(
            "evaluate", f"evaluate {what} (reference)", section, params, after={"model": converted}, datasets=dataset
        )
    key = builder.add("evaluate", f"evaluate {what}", section, params, after={"model": model}, datasets=dataset)
    return Measurement(check, key, base)
