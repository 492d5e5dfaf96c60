"""Original: what a model was converted of, ready to be run in the converted one's place when checks compare."""

from __future__ import annotations

from pathlib import Path

import runner.base.files as fs
from runner.base.progress import Progress
from runner.model.opening import ADAPTER, CONVERTED, SOURCE, Opening
from runner.model.parts import Model
from runner.registry.originals import FILE_RUNNERS
from runner.stages import Build, Task, convert

REVISION = 1
Params = Opening


def plan(build: Build, converted: str) -> str:
    """The stage for the original of the model of key `converted`."""
    model, located = build.recipe.model, build.located
    merged = located.adapter if located.adapter and located.adapter.merge else None
    after, files = convert.read(build, {"source": located, "adapter": merged})
    params = Opening(
        located.reader,
        located.task,
        model.trust_remote_code,
        model.allow_pickle,
        located.path.name if located.path and located.path.is_file() else "",
    )
    models, after = dict.fromkeys(files, model), {"model": converted, **after}
    label, section = "take the original", "accuracy.reference"
    return build.add("original", label, section, params, after=after, files=files, models=models)


def libraries(params: Params) -> tuple[str, ...]:
    """What runs it."""
    runner = FILE_RUNNERS.get(params.name.rpartition(".")[2])
    return (runner.distribution,) if runner else ("torch", "transformers")


def prepare(params: Params) -> None:
    """Nothing that takes its time."""


def run(task: Task[Params], progress: Progress) -> dict[str, object]:
    """Fill `task.out` as `runner.model.original` says."""
    params, source = task.params, task.inputs["source"]
    whole = Model.of(task.inputs["model"])
    whole.take_rest(task.out)
    for name in (one for xml in whole.parts.values() for one in (xml, f"{xml.removesuffix('.xml')}.bin")):
        fs.link_file(whole.folder / name, task.out / CONVERTED / name)
    for name, path in _files(source, params).items():
        fs.copy_file(path, task.out / SOURCE / name)
    if "adapter" in task.inputs:
        from runner.sources.adapter import find

        for name, path in find(task.inputs["adapter"]).files.items():
            fs.copy_file(path, task.out / ADAPTER / name)
    params.write(task.out)
    return {}


def _files(source: Path, params: Params) -> dict[str, Path]:
    """Name -> file of all that runs."""
    from runner.sources import file, folder

    return (
        folder.files(source, params.allow_pickle, params.trust_remote_code) if source.is_dir() else file.files(source)
    )
