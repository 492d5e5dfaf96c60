"""Noise floor: the reference of a check in the model's place, computed in other ways that should change nothing.

Each way follows from the key documents of the check's stages alone. So a plan can add its stages, and who has but the
manifest of a version finds what was measured for it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TypeAlias

from runner.base import keys
from runner.errors import Problem, RecipeError
from runner.model.runtime import NUMBERS
from runner.plan.types import Plan, Stage
from runner.registry.metrics import FAMILIES
from runner.registry.noise import BATCH, DEFAULTS, NOISE, THREADS, WORDS

Document: TypeAlias = Mapping[str, object]
Documents: TypeAlias = Mapping[str, Document]
"""Key -> key document."""
_COUNT = "INFERENCE_NUM_THREADS"


@dataclass(frozen=True)
class Like:
    """A stage that is as another, but for its inputs and some of its parameters.

    Attributes:
        of: key of the other.
        inputs: role -> key, of all that it reads.
        changed: the parameters that are others.
    """

    of: str
    document: Document
    inputs: Mapping[str, str]
    changed: Mapping[str, object]

    @property
    def key(self) -> str:
        """Its own."""
        return keys.digest(self.document)


@dataclass(frozen=True)
class Way:
    """One way of measuring a reference again.

    Attributes:
        name: `threads`, `batch` or `defaults`.
        stages: those that it takes; the last evaluates.
    """

    name: str
    stages: tuple[Like, ...]

    @property
    def key(self) -> str:
        """Of the stage that evaluates."""
        return self.stages[-1].key


def ways(documents: Documents, key: str) -> list[Way]:
    """How the reference of an evaluation can be measured again; not at all where it has none.

    Args:
        documents: of the stage and of those that it reads.
        key: of a stage `evaluate`.
    """
    evaluation = documents.get(key, {})
    inputs = {role: str(one) for role, one in _part(evaluation, "inputs").items()}
    base = documents.get(inputs.get("reference", ""), {})
    compared = str(_part(base, "inputs").get("model"))
    original = documents.get(compared, {}).get("stage") == "original"
    return list(_of_rows(documents, key, inputs) if base.get("stage") in ("predict", "encode") else ()) + list(
        _of_family(documents, key, {**inputs, "model": compared}, original) if base.get("stage") == "reference" else ()
    )


def _of_rows(documents: Documents, key: str, inputs: Mapping[str, str]) -> Iterator[Way]:
    """Of a metric of kept rows: the reference's are made again, and encoded again where an encoder's are compared."""
    last = inputs["reference"]
    encoded = documents[last].get("stage") == "encode"
    base = str(_part(documents[last], "inputs").get("kept")) if encoded else last
    model = str(_part(documents[base], "inputs").get("model"))
    original = documents.get(model, {}).get("stage") == "original"
    params = _part(documents[base], "params")
    batched = params.get("family") == ""  # rows of arrays; all others are fed one by one
    for name, runtime in _runtimes(_part(params, "runtime"), original, batched, defaults=True):
        settings = _part(params, "settings")
        changed = {"runtime": runtime, "settings": {**settings, NOISE: name} if name == BATCH else settings}
        made = [_like(documents, base, {"model": model}, changed)]
        made += [_like(documents, last, {"kept": made[0].key}, {})] if encoded else []
        yield Way(name, (*made, _like(documents, key, {**inputs, "model": made[-1].key}, {})))


def _of_family(documents: Documents, key: str, inputs: Mapping[str, str], original: bool) -> Iterator[Way]:
    """Of a family that runs the model itself; what it does otherwise, beside the runtime's properties, it is told."""
    params = _part(documents[key], "params")
    family = FAMILIES.get(str(params.get("family")))
    heeds = family is not None and family.heeds_noise
    for name, runtime in _runtimes(_part(params, "runtime"), original, heeds, defaults=heeds):
        settings = _part(params, "params")
        changed = {"runtime": runtime, "params": settings if name == THREADS else {**settings, NOISE: name}}
        yield Way(name, (_like(documents, key, inputs, changed),))


def _runtimes(
    runtime: Mapping[str, object], original: bool, batched: bool, *, defaults: bool
) -> Iterator[tuple[str, dict[str, object]]]:
    """The ways that there are, and the properties of OpenVINO with each; an original is run by another library."""
    if not original:
        yield THREADS, {**runtime, _COUNT: 2 if runtime.get(_COUNT) == 1 else 1}
    if batched:
        yield BATCH, dict(runtime)
    loose = {name: value for name, value in runtime.items() if name not in NUMBERS}
    if defaults and not original and loose != runtime:
        yield DEFAULTS, loose


def _like(documents: Documents, of: str, inputs: Mapping[str, str], changed: Mapping[str, object]) -> Like:
    document = documents[of]
    params = {**_part(document, "params"), **changed}
    return Like(of, {**document, "inputs": dict(inputs), "params": params}, inputs, changed)


def _part(document: Document, name: str) -> Mapping[str, object]:
    """A part of a key document; empty where a manifest that is none of ours has something else there."""
    found = document.get(name)
    return found if isinstance(found, Mapping) else {}


def documents_of(plan: Plan) -> Documents:
    """Those of a plan's stages."""
    return {stage.key: stage.document for stage in plan.stages}


def joined(plan: Plan) -> Plan:
    """The plan with the stages of its noise floors.

    Raises:
        RecipeError: none of its checks can have one.
    """
    stages = {stage.key: stage for stage in plan.stages}
    documents, targets = documents_of(plan), []
    for measurement in plan.measurements:
        for way in ways(documents, measurement.key):
            for like in way.stages:
                stages.setdefault(like.key, _stage(stages[like.of], like, way.name))
            targets.append(way.key)
    if not targets:
        raise RecipeError([_nothing(plan)])
    return replace(plan, stages=tuple(stages.values()), noise=tuple(dict.fromkeys(targets)))


def _nothing(plan: Plan) -> Problem:
    checks, key = plan.recipe.accuracy.checks, "accuracy.checks" if plan.recipe.accuracy.checks else "accuracy"
    what = "none of them can be measured on the reference in another way" if checks else "there are no checks"
    allowed = "a noise floor is of a check that compares with a reference, such as kl_divergence or relative_l2"
    reference = plan.recipe.accuracy.reference
    if checks and reference and reference.original:
        allowed = "an original is not run by OpenVINO, and only arrays and windows of text come in batches"
    return Problem(plan.recipe.where(key), key, what, allowed)


def alone(plan: Plan) -> Plan:
    """The stages that the noise floors take, as a plan of these alone; raises as `joined`."""
    whole = joined(plan)
    stages = {stage.key: stage for stage in whole.stages}
    wanted, todo = set(whole.noise), list(whole.noise)
    while todo:
        more = set(stages[todo.pop()].after.values()) - wanted
        wanted |= more
        todo += more
    kept = tuple(stage for stage in whole.stages if stage.key in wanted)
    first = whole.noise[0]
    return replace(whole, stages=kept, model=first, verified=first, measurements=())


def _stage(base: Stage, like: Like, way: str) -> Stage:
    return replace(
        base,
        label=f"{base.label.removesuffix(' (reference)')} (reference, {WORDS[way]})",
        key=like.key,
        document=like.document,
        params=replace(base.params, **like.changed),
        after=like.inputs,
    )
