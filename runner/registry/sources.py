"""Sources: where models come from, and what a recipe may say of one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from runner.registry.declared import Declaration, Declared


@dataclass(frozen=True)
class Source(Declaration):
    """A source; what it finds is exported by the exporter that its `Located.reader` names.

    Attributes:
        takes: whether a recipe names the model by `path` or by `id`; a path is taken relative to the recipe's file.
        task: whether `model.task` may be stated.
        code: whether what a recipe names runs Python code, which needs the person's own word.
        module: dotted name of a module with `locate(model, memory) -> Located`, cheap, before any work: it finds the
            files, tells their digest, and raises SourceError for what can't be had.
    """

    takes: Literal["path", "id"] = "path"
    task: bool = False
    code: bool = False
    module: str = ""


SOURCES: Declared[Source] = Declared(Source, "runner.sources.kinds", "ovrun.sources")
