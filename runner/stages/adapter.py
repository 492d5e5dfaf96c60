"""Adapter: what was trained for a model lies beside it, for OpenVINO GenAI to load with it."""

from __future__ import annotations

import runner.base.files as fs
from runner.base.progress import Progress
from runner.model.parts import Model
from runner.sources import apart
from runner.sources.adapter import WEIGHTS, Adapter, find
from runner.stages import Build, NoParams, Task, fetch

REVISION = 1
Params = NoParams


def plan(build: Build, model: str, adapter: Adapter) -> str:
    """The stage for the finished model of key `model`."""
    after, label = {"model": model}, "add the adapter"
    if adapter.fetch:
        after["adapter"] = fetch.plan(build, adapter.fetch)
        return build.add("adapter", label, "model.adapter", Params(), after=after)
    assert adapter.digest is not None
    files, models = {"adapter": (adapter.path, adapter.digest)}, {"adapter": build.recipe.model}
    return build.add("adapter", label, "model.adapter", Params(), after=after, files=files, models=models)


def libraries(params: Params) -> tuple[str, ...]:
    """OpenVINO reads the names of the model's operations."""
    return ("openvino",)


def prepare(params: Params) -> None:
    """Nothing that takes its time."""


def run(task: Task[Params], progress: Progress) -> dict[str, object]:
    """Fill `task.out` with the model and the adapter's weights."""
    adapter = find(task.inputs["adapter"])
    model = Model.of(task.inputs["model"]).read()
    layers = apart.place(adapter, (node.get_friendly_name() for node in model.get_ops()))
    fs.link_tree(task.inputs["model"], task.out)
    fs.copy_file(adapter.files[WEIGHTS], task.out / WEIGHTS)
    return {"layers": layers, "alpha": apart.alpha(adapter.settings)}
