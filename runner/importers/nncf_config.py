"""A configuration of NNCF before 3.0 -> a recipe; quantization is converted by `runner.recipe.judge.legacy`."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping, Sequence

from runner.base.values import inside, mapping, section
from runner.base.words import near
from runner.errors import Problem
from runner.importers import training
from runner.importers.draft import PLACEHOLDER, Draft, Source, leaves
from runner.importers.writer import flow
from runner.recipe.judge import legacy
from runner.recipe.origins import KeyPath, dotted

KIND = "an NNCF configuration of before 3.0"
_KEYS = (
    *("input_info", "compression", "target_device", "accuracy_aware_training", "compression_lr_multiplier"),
    *("disable_shape_matching", "log_dir", "hw_config_type"),
)
_MARKS = frozenset({"input_info", "compression", "accuracy_aware_training", "hw_config_type"})
_DEVICES = {"TRIAL": "ANY", "VPU": "NPU"}
_OLD_DEFAULTS = {"preset": "performance", "subset_size": "256", "overflow_fix": "enable"}
_INPUT = ("sample_size", "type", "keyword", "filler")


def recognizes(data: Mapping[str, object]) -> bool:
    """Whether values are those of an NNCF configuration."""
    model = data.get("model")
    return not _MARKS.isdisjoint(data) and not isinstance(model, dict) and "defaults" not in data


def convert(source: Source) -> Draft:
    """The recipe of a configuration; what is wrong in it is among the draft's problems."""
    draft = Draft(source, KIND)
    draft.put(("model",), PLACEHOLDER, f"{_model(source.data)}state it here, or as model=… on the command line")
    _inputs(draft)
    _compression(draft)
    _accuracy_aware(draft)
    _device(draft)
    _rest(draft)
    return draft


def _model(data: Mapping[str, object]) -> str:
    name = data.get("model")
    return (
        f'"{name}" was a model of the training script; '
        if isinstance(name, str)
        else "NNCF's configurations name none; "
    )


def _inputs(draft: Draft) -> None:
    given = draft.source.data.get("input_info")
    if given is None:
        return
    listed = isinstance(given, list)
    for index, one in enumerate(given if isinstance(given, list) else [given]):
        at: KeyPath = ("input_info", index) if listed else ("input_info",)
        if not isinstance(one, dict):
            draft.wrong(at, f"{flow(one)} is not a mapping", "a mapping with sample_size, type and keyword")
            continue
        for key, value in one.items():
            if key == "filler":
                draft.drop("input_info", dotted((*at, key)), "was for tracing in PyTorch and is not needed")
            elif key not in _INPUT:
                draft.unknown((*at, key), _INPUT)
            else:
                draft.put((*at, key), value, f"was {dotted((*at, key))}", draft.source.at((*at, key)))


def _compression(draft: Draft) -> None:
    given = draft.source.data.get("compression")
    if given in (None, {}, []):
        if "compression" in draft.source.data:
            draft.drop("", "compression", "empty: the model is only converted")
        return
    listed = isinstance(given, list)
    taken: list[tuple[KeyPath, Mapping[str, object]]] = []
    for index, step in enumerate(given if isinstance(given, list) else [given]):
        at: KeyPath = ("compression", index) if listed else ("compression",)
        name = step.get("algorithm") if isinstance(step, dict) else None
        if isinstance(step, dict) and name in ("quantization", "experimental_quantization"):
            taken.append((at, step))
        else:
            training.step(draft, at, step)
    if len(taken) > 1:
        draft.wrong(taken[1][0], "a second quantization; the model is quantized by the first already", "remove one")
    elif taken:
        _quantization(draft, *taken[0])
    elif draft.unsupported and not draft.problems:
        first = draft.unsupported[0]
        what = f"nothing in this configuration can be done after training: {first.key.rpartition('.')[2]} {first.what}"
        draft.wrong(("compression",), what, "start from a recipe with one of the presets of `compression` instead")


def _quantization(draft: Draft, at: KeyPath, step: Mapping[str, object]) -> None:
    """One step, judged by the schema of the old grammar and then converted."""
    clean = dict(_judged(draft, at, {**step, "algorithm": "quantization"}))
    if draft.problems:
        return
    converted = legacy.convert(clean, None)
    notes: dict[KeyPath, list[str]] = {}
    for key, text in converted.notes:
        notes.setdefault(key, []).append(text)
    draft.put(("compression", "algorithm"), "quantization", _said(at, ("algorithm",), notes), draft.source.at(at))
    if step["algorithm"] != "quantization":
        draft.comment(("compression", "algorithm"), "experimental_quantization of today")
    open_data = "calibration data, which the training script had: state the name of a dataset"
    draft.put(("compression", "dataset"), clean.get("dataset", PLACEHOLDER), open_data, draft.source.at(at))
    for path, key in converted.came.items():
        if path not in (("algorithm",), ("dataset",)):
            value = inside(converted.step, path)
            draft.put(("compression", *path), value, _said(at, key, notes), draft.source.at((*at, *key)))
    left = [f"{key} (was {old})" for key, old in _OLD_DEFAULTS.items() if key not in converted.step]
    if left:
        draft.remark("compression", f"left out there, and NNCF's own choice today: {', '.join(left)}")
    for key, texts in notes.items():
        draft.drop("compression", _quoted(at, key, step), "; ".join(texts))
    for key, what, count in _grouped(converted.refusals):
        more = f" and {count - 1} more" if count > 1 else ""
        draft.refuse("compression", _quoted(at, key, step) + more, _bare(what), draft.source.at((*at, *key)))


def _grouped(refusals: Sequence[legacy.Refusal]) -> list[tuple[KeyPath, str, int]]:
    """Refusals, those of several items of a list for the same reason as one: the first, and how many there are."""
    counts: dict[tuple[KeyPath, str], list[KeyPath]] = {}
    for key, what in refusals:
        home = key[:-1] if isinstance(key[-1], int) else key
        counts.setdefault((home, what), []).append(key)
    return [(keys[0], what, len(keys)) for (_, what), keys in counts.items()]


def _judged(draft: Draft, at: KeyPath, step: Mapping[str, object]) -> Iterator[tuple[str, object]]:
    """The step without what the old grammar's schema refuses; its mistakes become problems of the draft."""
    from runner.recipe.judge import wording
    from runner.recipe.judge.schemas import Validator, inline, load_schema
    from runner.recipe.judge.validate import place

    file = "nncf_legacy.schema.json"
    gone: set[KeyPath] = set()
    places = {path[len(at) :]: origin for path, origin in draft.source.origins.items() if path[: len(at)] == at}
    for error in Validator(inline(load_schema(file), file)).iter_errors(step):
        path: KeyPath = tuple(error.absolute_path)
        said = error.schema.get("errorMessage") if isinstance(error.schema, Mapping) else None
        if error.validator in ("not", "const") and said:
            gone.add(path)
            draft.refuse("compression", _quoted(at, path, step), _bare(said), draft.source.at((*at, *path)))
            continue
        for finding in wording.findings(error):
            problem = place(finding, places)
            draft.problems.append(problem._replace(problem=_inside(at, problem.problem)))
    yield from mapping(_without(step, (), gone)).items()


def _inside(at: KeyPath, problem: Problem) -> Problem:
    return dataclasses.replace(problem, key=f"{dotted(at)}.{problem.key}" if problem.key else dotted(at))


def _without(value: object, path: KeyPath, gone: set[KeyPath]) -> object:
    if isinstance(value, dict):
        return {key: _without(item, (*path, key), gone) for key, item in value.items() if (*path, key) not in gone}
    return value


def _said(at: KeyPath, key: KeyPath, notes: dict[KeyPath, list[str]]) -> str:
    return "; ".join([f"was {dotted((*at, *key))}", *notes.pop(key, [])])


def _quoted(at: KeyPath, key: KeyPath, step: object) -> str:
    """A key of the step with its value."""
    return f"{dotted((*at, *key))} ({short(inside(step, key))})"


def short(value: object) -> str:
    """A value in a remark."""
    text = flow(value) if not isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else text[:57] + "…"


def _bare(what: str) -> str:
    """A refusal without the advice for a recipe."""
    return what.removesuffix("; remove it").removesuffix(", or remove it")


def _accuracy_aware(draft: Draft) -> None:
    given = draft.source.data.get("accuracy_aware_training")
    if given is None:
        return
    drop = training.accuracy_aware(draft, given)
    control = ("compression", "accuracy_control")
    if drop is None:
        return
    key, value, kind, remark = drop
    if section(draft.config, "compression").get("algorithm") != "quantization":
        draft.refuse("", key, "a limit on a loss that nothing causes: no algorithm is left", draft.source.at(()))
        return
    path: KeyPath = ("accuracy_aware_training", "params", key.rpartition(".")[2])
    draft.put(
        (*control, "metric"),
        PLACEHOLDER,
        "the training script's own; state one of `ovrun explain accuracy_control.metric`",
    )
    draft.put((*control, "max_drop"), value, f"was {key}{remark}", draft.source.at(path))
    draft.put((*control, "drop_type"), kind, "", draft.source.at(path))


def _device(draft: Draft) -> None:
    for key in ("target_device", "hw_config_type"):
        device = draft.source.data.get(key)
        if device is None:
            continue
        plain = str(device).upper() if key == "hw_config_type" else device
        remark = f"was {key}"
        if isinstance(plain, str) and plain in _DEVICES:
            said = legacy.OLD_VALUES[("target_device", plain)]
            draft.refuse("target_device", f"{key} ({plain})", said.partition(" ")[2], draft.source.at((key,)))
            plain, remark = _DEVICES[plain], f"the nearest of {key} {plain}"
        draft.put(("target_device",), plain, remark, draft.source.at((key,)))


def _rest(draft: Draft) -> None:
    """All other keys at the top: those that NNCF knew, and those of the training script that read the file."""
    dropped = {
        "compression_lr_multiplier": "belongs to training",
        "disable_shape_matching": "was for tracing in PyTorch",
        "log_dir": "the log of a run lies in its folder",
    }
    data = draft.source.data
    for key, why in dropped.items():
        if key in data:
            draft.drop("", f"{key} ({short(data[key])})", why)
    others = [key for key in data if key not in _KEYS]
    for key in others:
        if guess := near(key, _KEYS, cutoff=0.85):
            draft.wrong((key,), "unknown key", f"allowed: {', '.join(_KEYS)}", guess)
    foreign = [dotted(path) for key in others for path in leaves(data[key], (key,))]
    if foreign:
        draft.drop("", f"not of NNCF, the training script's own ({', '.join(foreign)})", "training is done")
