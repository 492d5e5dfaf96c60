"""Fetch: bring the needed files of a hub's model or adapter, at one commit, into the store."""

from __future__ import annotations

from runner.base.progress import Progress
from runner.sources import Fetch
from runner.stages import Build, Task

REVISION = 2
Params = Fetch


def plan(build: Build, wanted: Fetch) -> str:
    """The stage of a model or an adapter that is elsewhere."""
    return build.add("fetch", f"fetch {wanted.id}", "model", wanted)


def libraries(params: Params) -> tuple[str, ...]:
    """The commit and the names of its files tell what is fetched."""
    return ()


def prepare(params: Params) -> None:
    """Nothing: what is in the cache needs no library."""


def run(task: Task[Params], progress: Progress) -> dict[str, object]:
    """Download what is not in the hub's local cache, and link the files into the output folder."""
    from runner.sources import hub_adapter, huggingface

    if task.params.files == hub_adapter.FILES:
        return hub_adapter.fetch(task.params, task.out, progress)
    return huggingface.fetch(task.params, task.out, progress)
