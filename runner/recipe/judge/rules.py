"""What a JSON Schema can't say: references between the sections of a recipe, and settings that contradict each other.

The rules look at plain data that may be wrong elsewhere, so that all mistakes come at once.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from runner.base.values import mapping
from runner.base.words import enumerate_names, near, shorten
from runner.recipe import build
from runner.recipe.datasets import kinds
from runner.recipe.judge import (
    dataset_rules,
    input_rules,
    legacy,
    metric_rules,
    own_rules,
    path_rules,
    quantization_rules,
    weight_rules,
)
from runner.recipe.judge.validate import is_name, place
from runner.recipe.judge.wording import Finding
from runner.recipe.origins import Found, KeyPath, Origins
from runner.recipe.types import AccuracyControl
from runner.registry import limits, own
from runner.registry.formats import givers
from runner.registry.originals import FILE_RUNNERS
from runner.registry.tasks import ARRAYS, OF_SEVERAL_PARTS, family_of

_FILES = {
    "openvino": "the model is OpenVINO's already",
    **{one: "nothing is known that runs the original" for one in ("tensorflow", "paddle")},
}


def check(config: Mapping[str, object], origins: Origins, path: Path, bad: Collection[KeyPath]) -> list[Found]:
    """Apply the rules to all that isn't known to be `bad` already."""
    rules = (
        _name(config, path),
        _task(_mapping(config, "model").get("task")),
        path_rules.check(config, origins, bad),
        _compression(config, bad),
        _checks(config, bad),
        dataset_rules.check(config, bad),
        own_rules.check(config, bad),
        _conversion(_mapping(config, "model").get("source"), _mapping(config, "conversion").get("check")),
        _inputs(config, bad),
    )
    return [place(finding, origins) for rule in rules for finding in rule]


def _ok(path: KeyPath, bad: Collection[KeyPath]) -> bool:
    """Whether neither the value at `path` nor anything in it is known to be bad."""
    return not any(known[: len(path)] == path for known in bad)


def _without(value: object, at: KeyPath, bad: Collection[KeyPath]) -> object:
    """The value without what is known to be bad in it."""
    if isinstance(value, dict):
        return {key: _without(item, (*at, key), bad) for key, item in value.items() if (*at, key) not in bad}
    if isinstance(value, list):
        return value if _ok(at, bad) else []
    return value


def _mapping(config: Mapping[str, object], key: str) -> dict[str, object]:
    value = config.get(key)
    return value if isinstance(value, dict) else {}


def _name(config: Mapping[str, object], path: Path) -> Iterator[Finding]:
    if "name" not in config and not is_name(path.stem):
        what = f"missing, and the file's name \"{path.stem}\" can't be one"
        yield Finding(("name",), what, "state `name` in the recipe")


def _reference(at: KeyPath, name: object, datasets: Mapping[str, object]) -> Iterator[Finding]:
    """A dataset that is named has to be there."""
    if isinstance(name, str) and name not in datasets:
        there = enumerate_names(datasets) or "the recipe has no datasets"
        yield Finding((*at, "dataset"), f'no dataset named "{shorten(name)}"', there, near(name, datasets))


def _compression(config: Mapping[str, object], bad: Collection[KeyPath]) -> Iterator[Finding]:
    datasets = _mapping(config, "datasets")
    yield from _parts(config, bad)
    for at, step in build.steps_of(config):
        if not isinstance(step, dict):
            continue
        if legacy.is_legacy(step):
            for key, what in legacy.convert(mapping(_without(step, at, bad)), datasets).refusals:
                yield Finding((*at, *key), what)
        if _ok((*at, "dataset"), bad):
            yield from _reference(at, step.get("dataset"), datasets)
        yield from _calibration(at, step.get("dataset"), datasets, bad)
        if step.get("algorithm") == "weight_compression" and _ok(at, bad):
            yield from weight_rules.check(at, step)
        elif step.get("algorithm") == "quantization" and _ok(at, bad) and not legacy.is_legacy(step):
            task = _mapping(config, "model").get("task")
            yield from quantization_rules.check(at, step, config.get("target_device"), task)
        yield from _control(at, step, datasets, bad, _mapping(config, "model").get("task"))
    yield from _repeated(config)
    yield from _hybrid(config)


def _parts(config: Mapping[str, object], bad: Collection[KeyPath]) -> Iterator[Finding]:
    """A part's settings are those of weight compression or of quantization."""
    for at, step in build.parts_of(config):
        if step["algorithm"] == "quantization":
            yield from _quantized_part(at, step, config, bad)
            continue
        if _ok((*at, "dataset"), bad):
            yield from _reference(at, step.get("dataset"), _mapping(config, "datasets"))
        yield from _calibration(at, step.get("dataset"), _mapping(config, "datasets"), bad)
        if _ok(at, bad):
            yield from weight_rules.check(at, step)
    for at, whole in build.steps_of(config) if "parts" in config else ():
        if isinstance(whole, dict) and "accuracy_control" in whole:
            what = "metrics are measured on one network, and `parts` is for models of several"
            yield Finding((*at, "accuracy_control"), what, "remove it")


def _quantized_part(
    at: KeyPath, step: Mapping[str, object], config: Mapping[str, object], bad: Collection[KeyPath]
) -> Iterator[Finding]:
    datasets, name = _mapping(config, "datasets"), step.get("dataset")
    if _ok((*at, "dataset"), bad):
        yield from _reference(at, name, datasets)
    yield from _calibration(at, name, datasets, bad)
    if "accuracy_control" in step:
        what = "metrics are measured on one network, and this is one of several"
        yield Finding((*at, "accuracy_control"), what, "remove it")
    elif _ok(at, bad):
        yield from quantization_rules.check(at, step, config.get("target_device"), None)


def _calibration(
    at: KeyPath, name: object, datasets: Mapping[str, object], bad: Collection[KeyPath]
) -> Iterator[Finding]:
    """Calibration data feed the model: text, arrays, images or sounds."""
    if not isinstance(name, str) or name not in datasets or not _ok(("datasets", name), bad):
        return
    if {"text", "arrays", "image", "audio"}.isdisjoint(kinds(build.dataset(name, mapping(datasets[name])))):
        needed = " or ".join(givers(kind) for kind in ("text", "arrays"))
        what = f'"{name}" holds nothing that can calibrate a model'
        yield Finding((*at, "dataset"), what, f"needed: {needed}")


def _control(
    at: KeyPath, step: Mapping[str, object], datasets: Mapping[str, object], bad: Collection[KeyPath], task: object
) -> Iterator[Finding]:
    """Accuracy control measures on its own dataset, or on that of the calibration."""
    control = step.get("accuracy_control")
    at = (*at, "accuracy_control")
    if not isinstance(control, dict):
        return
    yield from _reference(at, control.get("dataset"), datasets)
    name = control.get("dataset", step.get("dataset"))
    if _ok((*at, "metric"), bad) and isinstance(name, str) and name in datasets and _ok(("datasets", name), bad):
        yield from _fitting(at, {**control, "dataset": name}, mapping(datasets[name]), task)
        yield from metric_rules.searched(at, control, build.dataset(name, mapping(datasets[name])), task)
    yield from _needs_a_generator(at, control, task)
    found = own.stated(control.get("metric"))
    if found and _ok(at, bad):
        info = found[0]
        drop = AccuracyControl.max_drop, AccuracyControl.drop_type
        wrong = limits.control_misfit(info, control.get("max_drop", drop[0]), control.get("drop_type", drop[1]))
        if wrong:
            yield Finding((*at, "max_drop"), *wrong)


def _task(task: object) -> Iterator[Finding]:
    """A model in parts that nobody knows how to use would be found out after its conversion."""
    if isinstance(task, str) and task in OF_SEVERAL_PARTS and family_of(task).name == ARRAYS:
        what = f"a model for {task} has several parts, and ovrun does not know how they are used together"
        yield Finding(("model", "task"), what, "docs/tasks.md lists the tasks that it knows")


def _conversion(source: object, check: object) -> Iterator[Finding]:
    """A check that is asked for needs something that runs the original."""
    at = ("conversion", "check")
    if not check:
        return
    if source in _FILES:
        yield Finding(at, f"{_FILES[str(source)]}, so nothing can be held against it", "remove it")
    runner = FILE_RUNNERS.get(str(source))
    if runner and not runner.is_installed:
        what = f"{runner.name}, which runs the original, is not installed"
        yield Finding(at, what, f"pip install 'ovrun[{runner.extra}]', or remove it")


def _inputs(config: Mapping[str, object], bad: Collection[KeyPath]) -> Iterator[Finding]:
    """What shapes the inputs get, and what is built into the model before them."""
    for name, sizes in _mapping(_mapping(config, "conversion"), "shapes").items():
        at = ("conversion", "shapes", name)
        if isinstance(sizes, list) and _ok(at, bad):
            yield from input_rules.check_shape(at, sizes)
    if config.get("input_info") and "shapes" in _mapping(config, "conversion"):
        what = "input_info says the shapes of inputs too, and NNCF's calibration length"
        yield Finding(("conversion", "shapes"), what, "state one of the two")
    for name, steps in _mapping(_mapping(config, "conversion"), "preprocess").items():
        at = ("conversion", "preprocess", name)
        if isinstance(steps, dict) and _ok(at, bad):
            yield from input_rules.check(at, steps)


def _repeated(config: Mapping[str, object]) -> Iterator[Finding]:
    """NNCF compresses nothing twice, and no quantized weights, or quantizes twice, without a word."""
    done: dict[str, KeyPath] = {}
    for at, step in build.steps_of(config):
        algorithm = step.get("algorithm") if isinstance(step, dict) else None
        if not isinstance(algorithm, str):
            continue
        taken = algorithm if algorithm in done else "quantization"
        if taken in done:
            what = (
                f"step {done[taken][-1]} does {taken} already, on everything that its ignored_scope doesn't leave out"
            )
            yield Finding((*at, "algorithm"), what, "leave operations out of that step with ignored_scope")
        elif "ignored_scope" not in mapping(step):
            done[algorithm] = at


def _hybrid(config: Mapping[str, object]) -> Iterator[Finding]:
    """Hybrid quantization is weight compression and quantization in one."""
    steps = build.steps_of(config)
    for at, step in steps if len(steps) > 1 else ():
        if "hybrid" in mapping(step if isinstance(step, dict) else {}):
            what = "it compresses some weights and quantizes all else, so nothing is left to another step"
            yield Finding((*at, "hybrid"), what, "make it the only step, or remove it")


def _checks(config: Mapping[str, object], bad: Collection[KeyPath]) -> Iterator[Finding]:
    datasets = _mapping(config, "datasets")
    checks = _mapping(config, "accuracy").get("checks")
    for index, one in enumerate(checks if isinstance(checks, list) else []):
        at = ("accuracy", "checks", index)
        if not isinstance(one, dict):
            continue
        name = one.get("dataset") if _ok((*at, "dataset"), bad) else None
        yield from _reference(at, name, datasets)
        if isinstance(name, str) and name in datasets and _ok((*at, "metric"), bad) and _ok(("datasets", name), bad):
            yield from _fitting(at, one, mapping(datasets[name]), _mapping(config, "model").get("task"))
        if _ok(at, bad):
            yield from metric_rules.contradictions(at, one)
        yield from _needs_a_generator(at, one, _mapping(config, "model").get("task"))
        if _generates(one, _mapping(datasets, str(name))) and _mapping(config, "conversion").get("tokenizer") is False:
            yield Finding((*at, "metric"), f"{one['metric']} generates text and needs `conversion.tokenizer: true`")


def _generates(one: Mapping[str, object], dataset: Mapping[str, object]) -> bool:
    metric = one.get("metric")
    found = own.stated(metric) if isinstance(metric, str) else None
    writes = found is not None and "texts" in found[1].rows
    return writes and ("prompt" in dataset or "prompt" in _mapping(dataset, "columns"))


def _needs_a_generator(at: KeyPath, one: Mapping[str, object], task: object) -> Iterator[Finding]:
    """Some metrics are of models that predict the next token, and a task may say that the model is none."""
    found = own.stated(one.get("metric"))
    if found and found[1].of_generators and isinstance(task, str) and family_of(task).gives != "next tokens":
        what = f"{found[0].name} is of models that generate text, and the model's task is {task}"
        yield Finding((*at, "metric"), what, "use relative_l2, cosine_similarity or sqnr")


def _fitting(at: KeyPath, one: Mapping[str, object], dataset: Mapping[str, object], task: object) -> Iterator[Finding]:
    """A dataset has to hold what the metric works on."""
    found = own.stated(one.get("metric"))
    if found is None:
        return
    (metric, family), name = found, str(one["dataset"])
    if isinstance(one["metric"], dict) or metric_rules.applies(family):
        yield from metric_rules.check(at, family, build.dataset(name, dataset), task)
    elif metric.data.isdisjoint(kinds(build.dataset(name, dataset))):
        needed = " or ".join(givers(kind) for kind in sorted(metric.data))
        yield Finding((*at, "dataset"), f'"{name}" doesn\'t hold what {metric.name} needs', f"needed: {needed}")
