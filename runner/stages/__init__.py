"""The stages: one module each, run in a process of its own by the engine.

A stage is a pure function from input folders and parameters to one output folder. Its module owns it whole:

    REVISION: int                                   raised when the same inputs give another output
    Params                                          a frozen dataclass, part of the key
    plan(build, ...) -> key                         how a recipe becomes them, and what the stage reads
    libraries(params) -> tuple[str, ...]            distributions whose version shapes the output
    prepare(params)                                 imports what `run` will need, while the stage before still runs
    template(params) -> str | None                  where there is one: the dotted name of a function that imports what
                                                    many processes need, and starts no thread. It runs once in a run,
                                                    in a process that those of all stages which name it fork from
    run(task, progress) -> dict                     fills `task.out`, returns what it has to tell
    rest(task) -> str | None                        where there is one: the dotted name of a module whose `prepare` and
                                                    `run` finish the stage, in a process of their own, once that of
                                                    this `run` has ended and given its memory back

To add one: write the module, add its line to `STAGES`, and let `runner.plan.builder` ask for it.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar, cast

from runner.base.progress import Progress
from runner.recipe.types import Dataset, ModelSource, Recipe
from runner.sources import Located

STAGES = {
    "fetch": "runner.stages.fetch",
    "convert": "runner.stages.convert",
    "inputs": "runner.stages.inputs",
    "statistics": "runner.stages.statistics",
    "compress": "runner.stages.compress",
    "record": "runner.stages.record",
    "quantize": "runner.stages.quantize",
    "assemble": "runner.stages.assemble",
    "adapter": "runner.stages.adapter",
    "verify": "runner.stages.verify",
    "original": "runner.stages.original",
    "predict": "runner.stages.predict",
    "encode": "runner.stages.encode",
    "reference": "runner.stages.reference",
    "evaluate": "runner.stages.evaluate",
    "own_metric": "runner.stages.own_metric",
}

JUDGED = frozenset({"convert"})
"""Stages whose output a run may refuse: nothing is made of it before that is known."""

P = TypeVar("P")


@dataclass(frozen=True)
class NoParams:
    """Of a stage that needs none."""


@dataclass(frozen=True)
class Task(Generic[P]):
    """All that a stage may know.

    Attributes:
        params: the stage's own dataclass, part of the key.
        inputs: role -> folder of another stage's files, or a source's path.
        datasets: role -> dataset; content and reading are part of the key.
        out: the empty folder to fill.
        seed: for every random generator.
    """

    stage: str
    params: P
    out: Path
    inputs: Mapping[str, Path] = field(default_factory=dict)
    datasets: Mapping[str, Dataset] = field(default_factory=dict)
    seed: int = 0


class Build(Protocol):
    """The plan of one recipe while it is made: what a stage's `plan` may look at, and to what it adds itself."""

    recipe: Recipe
    located: Located

    def locate(self, model: ModelSource) -> Located:
        """Where another model is; SourceError if it is not there, or is visibly broken."""

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
        """Add a stage, and give its key.

        Args:
            name: of `STAGES`.
            label: what a person sees.
            section: the recipe's key that it stems from, to place an error.
            params: the stage's own dataclass.
            after: role -> key of a stage whose folder it reads.
            files: role -> path outside the store that it reads, and its digest.
            datasets: role -> dataset that it reads.
            models: role -> the source of which that path is.
        """


class StageModule(Protocol):
    """What every module in this package looks like to the engine."""

    REVISION: int

    def libraries(self, params: Any) -> tuple[str, ...]: ...

    def prepare(self, params: Any) -> None: ...

    def run(self, task: Task[Any], progress: Progress) -> dict[str, object]: ...


def load(name: str) -> StageModule:
    """A stage's module by its dotted name; it imports nothing heavy until it runs."""
    return cast(StageModule, importlib.import_module(name))


def template(name: str, params: object) -> str | None:
    """The function that a process of a stage's module has been forked after, if the stage has one."""
    found: str | None = getattr(load(name), "template", lambda _: None)(params)
    return found


def rest(name: str, task: Task[Any]) -> str | None:
    """The module that finishes what a stage's module has begun, if something is left to do."""
    found: str | None = getattr(load(name), "rest", lambda _: None)(task)
    return found


def module(stage: str) -> StageModule:
    """The module of a stage."""
    return load(STAGES[stage])
