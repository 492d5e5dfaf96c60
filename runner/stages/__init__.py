"""The stages: one module each, run in a process of its own by the engine.

A stage is a pure function from input folders and parameters to one output folder. Its module has

    REVISION: int                                   raised when the same inputs give another output
    libraries(params) -> tuple[str, ...]            distributions whose version shapes the output
    prepare(params)                                 imports what `run` will need, while the stage before still runs
    PREPARE_ONCE: bool                              if true, `prepare` takes no notice of params and starts no thread:
                                                    it runs once for all such stages of a run, which fork from it
    run(task: Task, progress: Progress) -> dict     fills `task.out`, returns what it has to tell

To add one: write the module, add its line to `STAGES`, and let `runner.plan.builder` ask for it.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, cast

from runner.base.progress import Progress
from runner.recipe.types import Dataset

STAGES = {
    "fetch": "runner.stages.fetch",
    "convert": "runner.stages.convert",
    "statistics": "runner.stages.statistics",
    "compress": "runner.stages.compress",
    "quantize": "runner.stages.quantize",
    "verify": "runner.stages.verify",
    "reference": "runner.stages.reference",
    "evaluate": "runner.stages.evaluate",
}


@dataclass(frozen=True)
class Task:
    """All that a stage may know.

    Attributes:
        params: plain data, part of the key.
        inputs: role -> folder of another stage's files, or a source's path.
        datasets: role -> dataset; content and reading are part of the key.
        out: the empty folder to fill.
        seed: for every random generator.
    """

    stage: str
    params: Mapping[str, Any]
    out: Path
    inputs: Mapping[str, Path] = field(default_factory=dict)
    datasets: Mapping[str, Dataset] = field(default_factory=dict)
    seed: int = 0


class StageModule(Protocol):
    """What every module in this package looks like."""

    REVISION: int

    def libraries(self, params: Mapping[str, Any]) -> tuple[str, ...]: ...

    def prepare(self, params: Mapping[str, Any]) -> None: ...

    def run(self, task: Task, progress: Progress) -> dict[str, Any]: ...


def load(name: str) -> StageModule:
    """A stage's module by its dotted name; it imports nothing heavy until it runs."""
    return cast(StageModule, importlib.import_module(name))


def module(stage: str) -> StageModule:
    """The module of a stage."""
    return load(STAGES[stage])
