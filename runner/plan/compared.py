"""What checks compare a model with, where that is not the converted one: another OpenVINO model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from runner.base.words import near
from runner.errors import Problem, RecipeError, SourceError
from runner.recipe.conversion import Conversion, ConversionCheck
from runner.recipe.types import ModelSource
from runner.stages import convert

if TYPE_CHECKING:
    from runner.plan.memo import Memo
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
    path = wanted.path or _version(build.recipe, memo.store.root.parent, str(wanted.version))
    model = ModelSource("openvino", path=path)
    recipe = replace(build.recipe, model=model, input_info=(), conversion=_AS_IT_IS)
    try:
        located = memo.locate(model)
    except SourceError as error:
        raise _refusal(build.recipe, error.message, None) from error
    return convert.plan(_Beside(build, recipe, located, f"take the reference {wanted.name}"))


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
