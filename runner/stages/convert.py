"""Convert: a model as its framework saved it becomes an OpenVINO IR folder, by the exporter that its source names."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from runner.base.progress import Progress
from runner.registry.exporters import EXPORTERS, Exporting, ExportParams, Shape
from runner.registry.originals import runner_of
from runner.sources import Located
from runner.sources.adapter import Adapter
from runner.stages import Build, Task, compare, fetch

if TYPE_CHECKING:
    from runner.sources.pytorch import Weights

REVISION = 2
Params = ExportParams


def plan(build: Build) -> str:
    """The stages that make the uncompressed IR of a recipe's model: fetched, where it is elsewhere, and converted."""
    recipe, located = build.recipe, build.located
    exporter = EXPORTERS[located.reader]
    merged = located.adapter if located.adapter and located.adapter.merge else None
    whole = Params(
        exporter=exporter.name,
        revision=exporter.revision,
        precision=recipe.conversion.precision,
        task=located.task,
        stateful=recipe.conversion.stateful,
        tokenizer=recipe.conversion.tokenizer,
        trust_remote_code=recipe.model.trust_remote_code,
        allow_pickle=recipe.model.allow_pickle,
        check=recipe.conversion.check.of,
        runner=runner_of(located.path) if recipe.conversion.check.of else None,
        shapes=tuple(Shape(info.sample_size, info.keyword) for info in recipe.input_info),
        adapter=merged.kind if merged else None,
        code=recipe.model.code,
        imports=located.imports,
    )
    unused = {name: None for name in vars(whole) if name not in {"exporter", "revision", "precision"} | exporter.takes}
    params = replace(whole, **cast(dict[str, Any], unused))
    label = f"convert to {params.precision}"
    beside = {"vocoder": located.vocoder, "weights": located.weights}
    after, files = read(build, {"source": located, "adapter": merged, **beside})
    models = dict.fromkeys(files, recipe.model)
    return build.add("convert", label, "conversion", params, after=after, files=files, models=models)


def read(
    build: Build, wanted: Mapping[str, Located | Adapter | Weights | None]
) -> tuple[dict[str, str], dict[str, tuple[Path, str]]]:
    """What is read of a model's sources: role -> key of the stage that fetches it, and role -> path and digest."""
    after, files = {}, {}
    for role, one in wanted.items():
        if isinstance(one, Located | Adapter) and one.fetch:
            after[role] = fetch.plan(build, one.fetch)
        elif one:
            assert one.path is not None and one.digest is not None
            files[role] = one.path, one.digest
    return after, files


def libraries(params: Params) -> tuple[str, ...]:
    """The exporter's own, and of what merges an adapter, what runs the original, and what a Python file imports."""
    merges = "peft" if params.adapter else None
    own = EXPORTERS[params.exporter].versions
    return (*own, *filter(None, (merges, params.runner)), *(params.imports or ()))


def template(params: Params) -> str | None:
    """What the exporter shares with other stages."""
    return EXPORTERS[params.exporter].template


def prepare(params: Params) -> None:
    """Import what the exporter needs."""
    _exporting(params).prepare()


def run(task: Task[Params], progress: Progress) -> dict[str, object]:
    """Fill `task.out` with `openvino_model.xml/.bin` and all that belongs to it."""
    from runner.export.damage import damage
    from runner.export.private import forget_paths

    source = task.inputs["source"]
    with damage(source, task.out):
        beside = {role: path for role, path in task.inputs.items() if role != "source"}
        result = _exporting(task.params).export(source, task.out, task.params, progress, **beside)
        forget_paths(task.out)
        return dict(result)


def rest(task: Task[Params]) -> str | None:
    """The module that compares, where an original gave something to compare with."""
    from runner.export import given

    return compare.__name__ if given.is_there(task.out) else None


def _exporting(params: Params) -> Exporting:
    return cast(Exporting, importlib.import_module(EXPORTERS[params.exporter].module))
