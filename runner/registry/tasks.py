"""Tasks: what models are made for, of which parts they are, how they are used and what they give."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from runner.registry.declared import Declaration, Declared
from runner.registry.predicting import Predicts

Gives = Literal["next tokens", "text", "class scores", "embeddings", "arrays"]
WEIGHTS = """compression:
  algorithm: weight_compression
  mode: int8_asym
"""
"""What a recipe has beside its model, for 8-bit weights everywhere."""
PAST = "-with-past"
"""How Optimum's names of tasks end where a decoder keeps the keys and values of past tokens."""


@dataclass(frozen=True)
class Used:
    """What a trial of a finished model tells.

    Attributes:
        by: the libraries that loaded it.
        ran: what was run.
    """

    by: tuple[str, ...]
    ran: str


@dataclass(frozen=True)
class TaskFamily(Declaration):
    """A task; its name is Optimum's, without `-with-past` where both variants are of one kind.

    Attributes:
        use: loads a finished folder as its users will, runs it once, and looks whether numbers come out. It raises
            SourceError for a folder that can't be loaded, and StageError for a model that fails.
        gives: what comes out.
        predicts: how rows of a dataset feed it, and what is kept of each; it decides which metrics fit.
        metrics: those that tell most of it, the usual one first.
        past: whether the task has a variant with past, which is the usual one then.
        architectures: ends of the names of architectures that are for this task alone.
        parts: name -> what it is for, of a converted model.
        more_parts: model type -> the parts that its models have beside these.
        mild: parts whose weights get int8_sym where `compression` has fewer bits for the others, as Optimum Intel does.
        users_load: the class of `optimum.intel` that users load a folder with; empty where there is none.
        text_parts: parts that texts can feed: by themselves, or through others where there is `record`.
        image_parts: parts that images with texts can feed, through others.
        record: what goes into a part while the whole is used: of a folder and a part, on a dataset (a `Wanted` of
            runner.data.recorded).
        cached: decoders that go on from what an encoder gave and from their own past. No dataset is of their inputs:
            it feeds the whole model, whatever it holds, and what they get is recorded.
        processor: the class of `transformers` that makes its inputs; empty where arrays are given.
        example: what a recipe for such a model may have beside the model, in YAML.
        usage: Python for the model card; by default, how `users_load` and `processor` are loaded.
        revision: goes up when the same folder may fare otherwise in the trial.
        libraries: distributions whose versions shape the trial.
    """

    use: Callable[[Path], Used] = field(kw_only=True)
    gives: Gives = "arrays"
    predicts: tuple[Predicts, ...] = ()
    metrics: tuple[str, ...] = ()
    past: bool = False
    architectures: tuple[str, ...] = ()
    parts: Mapping[str, str] = field(default_factory=lambda: {"model": "the whole network"})
    more_parts: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    mild: tuple[str, ...] = ()
    text_parts: tuple[str, ...] = ()
    image_parts: tuple[str, ...] = ()
    record: Callable[[Path, str, Any], Iterator[Any]] | None = None
    cached: tuple[str, ...] = ()
    users_load: str = ""
    processor: str = ""
    example: str = WEIGHTS
    usage: str = ""
    revision: int = 1
    libraries: tuple[str, ...] = ("openvino",)

    @property
    def names(self) -> tuple[str, ...]:
        """Optimum's names, the usual one first."""
        return (self.name + PAST, self.name) if self.past else (self.name,)

    def fed_by(self, role: str) -> bool:
        """Whether rows with a column of this role feed its models, by their own processor."""
        return any(role in one.needs for one in self.predicts)

    def parts_of(self, config: Mapping[str, object] | None) -> Mapping[str, str]:
        """The parts of a model of this task, by its config.json: name -> what it is for."""
        return {**self.parts, **self.more_parts.get(str((config or {}).get("model_type")), {})}

    @property
    def versions(self) -> tuple[str, ...]:
        """All distributions whose versions shape the trial, the one that declares the task among them."""
        return (*self.libraries, *([self.distribution] if self.distribution else []))


TASKS: Declared[TaskFamily] = Declared(TaskFamily, "runner.tasks", "ovrun.tasks")
WRITING = ("openvino", "optimum-intel", "transformers")
"""The distributions that models of several parts write with."""
ARRAYS = "arrays"
"""The family of a model of which no task is known, or one that no family covers."""

OF_SEVERAL_PARTS = frozenset(
    {
        *("image-to-text", "image-to-text-with-past", "inpainting", "mask-generation"),
        *("text-to-audio", "text-to-image"),
    }
)
"""Optimum's names of tasks whose models are exported in parts; without a family nobody knows how they are used."""


def family_of(task: str | None) -> TaskFamily:
    """The family of a task by one of Optimum's names."""
    name = task or ARRAYS
    return TASKS.get(name) or TASKS.get(name.removesuffix(PAST)) or TASKS[ARRAYS]


def task_of(config: Mapping[str, object]) -> str | None:
    """The Optimum task of a model, where the name of the one architecture in its config.json tells it."""
    names = config.get("architectures")
    if not isinstance(names, list) or len(names) != 1 or not isinstance(names[0], str):
        return None
    fitting = [(len(end), family.names[0]) for end, family in _architectures() if names[0].endswith(end)]
    return max(fitting)[1] if fitting else None


def _architectures() -> Iterator[tuple[str, TaskFamily]]:
    for family in TASKS.values():
        for end in family.architectures:
            yield end, family
