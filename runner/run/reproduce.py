"""Reproduce: a version made again from its manifest alone, in a store of its own, and what differs first if anything.

Times and sizes in memory are not compared; the model's files, byte for byte, and what the checks measured are.
"""

from __future__ import annotations

import platform
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runner import __version__
from runner.artifact import found
from runner.artifact.placing import CARD, RECIPE
from runner.artifact.versions import digest_of, load_manifest
from runner.base import hardware
from runner.base.keys import version_of
from runner.errors import SourceError
from runner.plan.builder import make_plan
from runner.plan.types import Plan
from runner.recipe import load_recipe
from runner.recipe.dump import dump_data
from runner.recipe.types import Recipe
from runner.run.lifecycle import optimize
from runner.run.outcome import Observer
from runner.store import store_of

if TYPE_CHECKING:
    from runner.artifact.types import Manifest

SAME, INPUTS, DIFFERS = "same", "inputs differ", "differs"


@dataclass(frozen=True)
class Difference:
    """One thing that is not as it was.

    Attributes:
        kind: `model`, `dataset`, `ovrun`, `python`, `library`, `cpu feature`, `stage`, `file` or `check`.
        name: which.
        then: as the manifest has it.
        now: as it is here.
    """

    kind: str
    name: str
    then: object
    now: object

    def __str__(self) -> str:
        return f"{self.kind} {self.name}: {_short(self.then)} then, {_short(self.now)} now"


def _short(value: object) -> str:
    text = "none" if value is None else str(value)
    return f"{text[:12]}…" if len(text) == 64 else text


@dataclass(frozen=True)
class Reproduction:
    """What came of it.

    Attributes:
        made: the folder of the second one; None if its inputs differ.
        differences: the first one first; where the status is `same` they had no effect.
    """

    status: str
    made: Path | None
    differences: tuple[Difference, ...]

    def document(self, folder: Path) -> dict[str, Any]:
        """As plain data."""
        differences = [asdict(one) for one in self.differences]
        first = differences[0] if differences and self.status != SAME else None
        made = str(self.made) if self.made else None
        return {"status": self.status, "path": str(folder), "made": made, "first": first, "differences": differences}


def trusted_manifest(folder: Path) -> Manifest:
    """The manifest of a version that is to be made again.

    Raises:
        SourceError: it can't be read, or is not what it says of itself.
    """
    manifest = load_manifest(folder)
    if manifest.get("digest", digest_of(manifest)) != digest_of(manifest):
        message = f"{folder / 'manifest.json'} was changed: it is not what its own digest says"
        raise SourceError(message, hint="Take another copy of this version.")
    return manifest


def recipe_of(manifest: Manifest, folder: Path, into: Path, model: Path | None, data: Mapping[str, Path]) -> Recipe:
    """The recipe of a version, its model and data found on this machine; its file is written to `into`.

    Args:
        manifest: of the version.
        folder: where the version lies; the paths in its manifest are relative to that.
        into: an outputs folder.
        model: where the model is, if it is not where the manifest says.
        data: the same of datasets, by name.

    Raises:
        SourceError: the model or some data are nowhere.
        RecipeError: this version of ovrun does not take the recipe.
    """
    recipe = found.with_metrics(manifest["recipe"], manifest, folder)
    recipe["model"] = found.model(manifest, folder, model)
    recipe["datasets"] = found.datasets(manifest, folder, data)
    path = into / RECIPE
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(dump_data(recipe), encoding="utf-8")
    return load_recipe(str(path))


def reproduce(manifest: Manifest, recipe: Recipe, into: Path, observer: Observer) -> Reproduction:
    """Make a version again below `into`, and compare.

    Raises:
        OvrunError: as a run of its recipe.
    """
    plan = make_plan(recipe, store_of(into))
    inputs = tuple(_inputs(manifest, plan))
    if inputs:
        return Reproduction(INPUTS, None, inputs)
    (outcome,) = optimize(recipe, into, observer).points
    assert outcome.path is not None
    made = load_manifest(outcome.path)
    results = tuple(_results(manifest, made))
    causes = (*_surroundings(manifest), *_stages(manifest, made))
    return Reproduction(DIFFERS if results else SAME, outcome.path, (*causes, *results))


_BESIDE = ("adapter_revision", "adapter_sha256", "vocoder_revision", "vocoder_sha256", "weights_sha256")
"""What tells which files went with the model."""


def _inputs(manifest: Manifest, plan: Plan) -> Iterator[Difference]:
    """The model and the datasets that are read."""
    for key in ("revision", "sha256", *_BESIDE):
        then, now = manifest["model"].get(key), plan.located.identity.get(key)
        if then != now:
            yield Difference("model", plan.located.identity.get("id") or str(plan.recipe.model.path), then, now)
    digests = {
        dataset.name: stage.document["datasets"][role]
        for stage in plan.stages
        for role, dataset in stage.datasets.items()
    }
    for name, said in manifest["datasets"].items():
        if said["sha256"] != digests.get(name):
            yield Difference("dataset", name, said["sha256"], digests.get(name))


def _surroundings(manifest: Manifest) -> Iterator[Difference]:
    """What a result may depend on besides: programs, then the processor."""
    machine, here = manifest["hardware"], hardware.describe()
    if manifest["ovrun"] != __version__:
        yield Difference("ovrun", "itself", manifest["ovrun"], __version__)
    if machine["python"] != platform.python_version():
        yield Difference("python", "itself", machine["python"], platform.python_version())
    for name, then in (manifest["libraries"] | manifest.get("environment", {}) | manifest["libraries"]).items():
        if then != version_of(name):
            yield Difference("library", name, then, version_of(name))
    flags = [set(machine["cpu_flags"]), {str(flag) for flag in _list(here["cpu_flags"])}]
    for flag in sorted(flags[0] ^ flags[1]):
        yield Difference("cpu feature", flag, *("present" if flag in one else "absent" for one in flags))


def _list(value: object) -> list[Any]:
    return list(value) if isinstance(value, list) else []


def _stages(then: Manifest, now: Manifest) -> Iterator[Difference]:
    """Stages in their order: how each was asked for, and what it made."""
    made = {stage["label"]: stage for stage in now["stages"]}
    for stage in then["stages"]:
        other = made.get(stage["label"])
        if other is None:
            yield Difference("stage", stage["label"], "ran", "is not part of the run")
            continue
        for key in ("revision", "params", "seed", "hardware"):
            before, after = stage["document"].get(key), other["document"].get(key)
            if before != after:
                yield Difference("stage", f"{stage['label']}, its {key}", before, after)
        if "output" in stage and stage["output"] != other["output"]:
            yield Difference("stage", stage["label"], stage["output"], other["output"])


def _results(then: Manifest, now: Manifest) -> Iterator[Difference]:
    """The model's files, and what was measured on it."""
    digests = [
        {name: said["sha256"] for name, said in one["files"].items() if name not in (CARD, RECIPE)}
        for one in (then, now)
    ]
    for name in sorted({*digests[0], *digests[1]}):
        if digests[0].get(name) != digests[1].get(name):
            yield Difference("file", name, digests[0].get(name), digests[1].get(name))
    for check, again in zip(then["checks"], now["checks"], strict=True):
        if check["values"] != again["values"]:
            yield Difference("check", f"{check['metric']} on {check['dataset']}", check["value"], again["value"])
