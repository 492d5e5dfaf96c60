"""Fetch: bring the needed files of a hub model, at one commit, into the store."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from runner.base.progress import Progress
from runner.stages import Task

REVISION = 2


def libraries(params: Mapping[str, Any]) -> tuple[str, ...]:
    """The commit and the names of its files tell what is fetched."""
    return ()


def prepare(params: Mapping[str, Any]) -> None:
    """Nothing: what is in the cache needs no library."""


def run(task: Task, progress: Progress) -> dict[str, Any]:
    """Download what is not in the hub's local cache, and link the files into the output folder."""
    from runner.sources import huggingface

    return huggingface.fetch(task.params, task.out, progress)
