"""What a plan is: stages with their keys, and which of them make the result."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from runner import stages
from runner.recipe.accuracy import Check
from runner.recipe.types import Dataset, ModelSource, Recipe
from runner.sources import Located


@dataclass(frozen=True)
class Stage:
    """One step of a plan.

    Attributes:
        name: which module of `runner.stages` runs it.
        label: what a person sees.
        section: the recipe's key that it stems from, to place an error.
        key: 64 hex digits.
        document: what the key was made from.
        after: role -> key of the stage whose folder it reads.
        files: role -> path outside the store that it reads (its digest is in the document).
        models: role -> the source of which that is the path.
        module: dotted name of the module that runs it.
    """

    name: str
    label: str
    section: str
    key: str
    document: Mapping[str, Any]
    params: Any
    after: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, Path] = field(default_factory=dict)
    datasets: Mapping[str, Dataset] = field(default_factory=dict)
    seed: int = 0
    models: Mapping[str, ModelSource] = field(default_factory=dict)
    module: str = ""

    def __post_init__(self) -> None:
        """The stage's own module, unless another is given."""
        if not self.module:
            object.__setattr__(self, "module", stages.STAGES[self.name])


@dataclass(frozen=True)
class Measurement:
    """A check, the key of the stage that measures it, and of the one that measures the reference for it."""

    check: Check
    key: str
    reference_key: str | None


@dataclass(frozen=True)
class Plan:
    """The stages of a recipe in the order of their data, and which of them make its result.

    Attributes:
        converted: key of the uncompressed OpenVINO model.
        model: key of the optimized model.
        verified: key of the stage that loads it.
        noise: keys of the stages that measure noise floors, where the recipe asks for them.
    """

    recipe: Recipe
    located: Located
    stages: tuple[Stage, ...]
    converted: str
    model: str
    verified: str
    measurements: tuple[Measurement, ...]
    noise: tuple[str, ...] = ()

    @property
    def targets(self) -> tuple[str, ...]:
        """The keys whose folders or results the artifact is made of."""
        measured = (key for m in self.measurements for key in (m.key, m.reference_key) if key)
        return tuple(dict.fromkeys([self.model, self.verified, *measured, *self.noise]))

    @property
    def of_converted(self) -> Plan:
        """The stages up to the converted model, as a plan of that alone."""
        stages = self.stages[: 1 + [stage.key for stage in self.stages].index(self.converted)]
        return replace(self, stages=stages, model=self.converted, verified=self.converted, measurements=(), noise=())

    def stage(self, key: str) -> Stage:
        """The stage of a key."""
        return next(stage for stage in self.stages if stage.key == key)
