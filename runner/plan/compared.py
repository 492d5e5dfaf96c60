"""What checks compare a model with, where that is not the converted one: its original, or another OpenVINO model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from runner.base.words import near
from runner.errors import Problem, RecipeError, SourceError
from runner.recipe.conversion import Conversion, ConversionCheck
from runner.recipe.types import ModelSource
from runner.registry.exporters import EXPORTERS
from runner.registry.originals import FILE_RUNNERS
from runner.registry.own import family_of as family_of_metric
from runner.registry.tasks import family_of
from runner.stages import convert, original, own_metric, predict

if TYPE_CHECKING:
    from runner.plan.memo import Memo
    from runner.recipe.accuracy import Check
    from runner.recipe.types import Dataset, Recipe
    from runner.sources import Located
    from runner.stages import Build

_KEY = "accuracy.reference"
_AS_IT_IS = Conversion(precision="fp32", check=ConversionCheck(wanted=False))
"""What changes no weight of an IR."""


@dataclass
class _Beside:
    """A plan in which another model stands in the place of the recipe's own."""

    build: Build
    recipe: Recipe
    located: Located
    label: str

    def locate(self, model: ModelSource) -> Located:
        """As `runner.stages.Build` says."""
        return self.build.locate(model)

    def add(
        self,
        name: str,
        label: str,
        section: str,
        params: object,
        *,
        after: Mapping[str, str] | None = None,
        files: Mapping[str, tuple[Path, str]] | None = None,
        datasets: Mapping[str, Dataset] | None = None,
        models: Mapping[str, ModelSource] | None = None,
    ) -> str:
        """As `runner.stages.Build` says."""
        return self.build.add(
            name, self.label, _KEY, params, after=after, files=files, datasets=datasets, models=models
        )


def plan(build: Build, memo: Memo, converted: str) -> str:
    """The key of the model that checks compare with: `converted`, or another's, taken over byte for byte.

    Raises:
        RecipeError: there is no such version, or no model that OpenVINO reads.
    """
    wanted = build.recipe.accuracy.reference
    if wanted is None:
        return converted
    if wanted.original:
        if what := _not_run(build):
            raise _refusal(build.recipe, what, "allowed: converted, a published version as NAME/N, or {path: ...}")
        return original.plan(build, converted)
    path = wanted.path or _version(build.recipe, memo.store.root.parent, str(wanted.version))
    model = ModelSource("openvino", path=path)
    recipe = replace(build.recipe, model=model, input_info=(), conversion=_AS_IT_IS)
    try:
        located = memo.locate(model)
    except SourceError as error:
        raise _refusal(build.recipe, error.message, None) from error
    return convert.plan(_Beside(build, recipe, located, f"take the reference {wanted.name}"))


def _not_run(build: Build) -> str | None:
    """Why the original can't be run here; None if it can."""
    recipe, located = build.recipe, build.located
    source = recipe.model.source
    if recipe.conversion.preprocess:
        return "the original knows nothing of what `conversion.preprocess` builds in"
    if located.reader == "openvino":
        runner = FILE_RUNNERS.get(source)
        if runner is None:
            return f"nothing is known that runs the original of source {source}"
        return None if runner.is_installed else f"{runner.name} isn't installed; pip install 'ovrun[{runner.extra}]'"
    if not EXPORTERS[located.reader].original:
        return f"the original of source {source} can't be run in the converted model's place"
    if len(family_of(located.task).parts_of(located.config)) > 1:
        return "the original of a model of several parts can't be run in the converted one's place"
    if (located.config or {}).get("quantization_config"):
        return "the weights of the original are quantized, and nothing here computes with them"
    writing = [check.metric for check in recipe.accuracy.checks if _writes(build, check)]
    taking = [check.metric for check in recipe.accuracy.checks if check.own and check.own.takes == "model"]
    if taking:
        return f"{taking[0]} takes an OpenVINO model, and the original is none"
    return f"the original writes nothing here, as {writing[0]} needs it" if writing else None


def _writes(build: Build, check: Check) -> bool:
    """Whether a check is of what a library makes of a whole folder: replies and the like."""
    task, dataset = build.located.task, build.recipe.datasets[check.dataset]
    rows = family_of_metric(check).rows
    if check.own and check.own.takes == "predictions":
        rows = own_metric.first_of(task, check.own, dataset)
    found = (predict.possible(task, gives, dataset) for gives in rows)
    return any(one and (one.optimum or "openvino-genai" in one.libraries) for one in found)


def _version(recipe: Recipe, outputs: Path, wanted: str) -> Path:
    """The folder of a published version, `NAME/N`."""
    name, _, number = wanted.partition("/")
    folder = outputs / name / number
    if (folder / "manifest.json").is_file():
        return folder
    try:
        there = sorted(path.name for path in outputs.iterdir() if path.is_dir() and not path.name.startswith("."))
        numbers = [path.name for path in (outputs / name).iterdir() if path.name.isdigit()] if name in there else []
    except OSError:
        there, numbers = [], []
    what = f"there is no published version {wanted} in {outputs}"
    allowed = f"{name} has versions {', '.join(sorted(numbers, key=int))}" if numbers else None
    raise _refusal(recipe, what, allowed, None if numbers else near(name, there))


def _refusal(recipe: Recipe, what: str, allowed: str | None, guess: str | None = None) -> RecipeError:
    return RecipeError([Problem(recipe.where(_KEY), _KEY, what, allowed, guess)])
