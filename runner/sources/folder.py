"""A Hugging Face folder on this machine."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import runner.base.files as fs
from runner.errors import SourceError
from runner.model import listing, pipeline
from runner.recipe.types import ModelSource
from runner.registry.tasks import task_of
from runner.sources import Located, Memory


def locate(model: ModelSource, memory: Memory) -> Located:
    """Find a local Hugging Face folder, and check that it can be read without loading anything."""
    path = model.path
    if path is None or not path.is_dir():
        message = f"there is no folder {path}"
        raise SourceError(message, hint="model.path is taken relative to the file that states it.")
    return describe(path, model, memory, {"source": model.source, "path": str(path)})


def describe(path: Path, model: ModelSource, memory: Memory, identity: dict[str, str]) -> Located:
    """What is known of the Hugging Face folder at `path`."""
    if (path / pipeline.INDEX).is_file():
        return _describe_pipeline(path, model, memory, identity)
    from runner.model.check import check_folder

    config = check_folder(path, model.allow_pickle, code=model.trust_remote_code)
    read = files(path, model.allow_pickle, model.trust_remote_code)
    digest = fs.digest_paths(read, memory(str(path)))
    return Located(
        reader="transformers",
        identity={**identity, "sha256": digest},
        path=path,
        digest=digest,
        files=read,
        task=model.task or inferred_task(config),
        config=config,
    )


def _describe_pipeline(path: Path, model: ModelSource, memory: Memory, identity: dict[str, str]) -> Located:
    index = pipeline.check(path)
    read = pipeline_files(path, index)
    digest = fs.digest_paths(read, memory(str(path)))
    return Located(
        reader=pipeline.READER,
        identity={**identity, "sha256": digest},
        path=path,
        digest=digest,
        files=read,
        task=model.task or pipeline.tasks(index)[0],
        config=index,
    )


def pipeline_files(path: Path, index: Mapping[str, object]) -> dict[str, Path]:
    """Name -> file of all that an export reads of a pipeline's folder.

    Raises:
        SourceError: one of them is not there, is no file, or lies outside of the folder.
    """
    wanted = pipeline.needed(listing.names(path, deep=True), listing.reader(path), index)
    return listing.real_files(path, wanted)


def files(path: Path, allow_pickle: bool, code: bool) -> dict[str, Path]:
    """Name -> file of all that an export reads of a folder.

    Raises:
        SourceError: one of them is not there, is no file, or lies outside of the folder.
    """
    there = listing.names(path, deep=code)
    wanted = listing.needed(there, listing.reader(path), allow_pickle=allow_pickle, code=code)
    return listing.real_files(path, wanted)


def inferred_task(config: Mapping[str, object]) -> str:
    """The task that a model's config.json tells.

    Raises:
        SourceError: it tells none.
    """
    task = task_of(config)
    if task is None:
        names = config.get("architectures")
        told = ", ".join(map(str, names)) if names and isinstance(names, list) else "nothing"
        message = f"model.task is not stated, and can't be told from the model's architectures ({told})"
        raise SourceError(message, hint="State model.task as Optimum names it, such as text-generation-with-past.")
    return task
