"""What a stage reads, held against its key before it begins and when it has ended: a key must not lie about its inputs.

Digests are taken by the functions that the plan uses; what was not touched since costs no more than a look at its
stamps. Those are compared besides: a file that was changed and put back while a stage read it has its digest of before.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import runner.base.files as fs
from runner import data, sources
from runner.base.paths import is_file
from runner.data import digests
from runner.errors import SourceError, StageError
from runner.plan.types import Stage
from runner.recipe.types import Dataset, ModelSource
from runner.sources import Located, python_file
from runner.sources.adapter import Adapter, find
from runner.sources.pytorch import Weights, find_weights
from runner.store import Store

_HINT = "Run again when nothing writes there any more; nothing of this stage was kept."

_digests: dict[tuple[str, tuple[fs.Stat, ...]], str] = {}
"""Datasets as this process has read them, by what is read of their files and these files' stamps."""


@dataclass
class Seen:
    """What was found at one time.

    Attributes:
        digests: role -> digest, as the stage's key has them.
        files: what was looked at.
    """

    digests: dict[str, str] = field(default_factory=dict)
    files: dict[Path, os.stat_result] = field(default_factory=dict)


def look(stage: Stage, store: Store) -> Seen:
    """Look at what a stage is about to read.

    Raises:
        SourceError: a model or a dataset is not what the plan found, or is gone.
        StageError: so is an entry of the store.
    """
    seen = _found(stage, store)
    _refuse(_other_roles(stage, seen), f"changed before {stage.label} could read it")
    return seen


def hold(stage: Stage, store: Store, before: Seen) -> None:
    """Look again when the stage has ended.

    Raises:
        SourceError: a model or a dataset changed meanwhile, even if it was put back, or is gone.
        StageError: so did an entry of the store.
    """
    now = _found(stage, store)
    touched = [str(path) for path, info in now.files.items() if _touched(before.files.get(path), info)]
    _refuse(touched or _other_roles(stage, now), f"changed while {stage.label} read it")


def _found(stage: Stage, store: Store) -> Seen:
    seen = Seen()
    for key in stage.after.values():
        if store.find(key) is None:
            message = f"the store entry {store.folder(key)}, which {stage.label} reads, was changed or removed"
            raise StageError(message, hint="Run again: it is made anew.")
    for role, model in stage.models.items():
        found = _model(role, model, store)
        seen.digests[role] = found.digest or ""
        seen.files |= {path: path.stat() for path in found.files.values()}
    for role in stage.files.keys() - stage.models.keys():
        path = stage.files[role]
        seen.digests[role] = python_file.digest(path) if is_file(path) else ""
        seen.files |= {path: path.stat()} if is_file(path) else {}
    for role, dataset in stage.datasets.items():
        seen.digests[role], files = _dataset(dataset, store)
        seen.files |= files
    return seen


def _model(role: str, model: ModelSource, store: Store) -> Located | Adapter | Weights:
    """A model or, where that is the role, its adapter, its vocoder or the weights that it gets."""
    if role == "adapter" and model.adapter and model.adapter.path:
        return find(model.adapter.path, store.digest_memory(str(model.adapter.path)))
    if role == "vocoder" and model.vocoder:
        return sources.find_vocoder(model.vocoder, model.allow_pickle, store.digest_memory)
    if role == "weights" and model.weights:
        return find_weights(model.weights, store.digest_memory)
    return sources.locate(replace(model, adapter=None, vocoder=None, weights=None), store.digest_memory)


def _dataset(dataset: Dataset, store: Store) -> tuple[str, dict[Path, os.stat_result]]:
    """A dataset's digest and its files' status; they are read again only if one may have changed."""
    try:
        now, found = time.time_ns(), {path: path.stat() for path in data.files(dataset)}
    except OSError as error:
        message = f"dataset {dataset.name}: {error.filename or dataset.path}: {error.strerror}"
        raise SourceError(message, hint=_HINT) from error
    stamps = tuple(fs.stamps(info) for info in found.values())
    known = repr(dataset), stamps
    if known not in _digests:
        memory = store.digest_memory(f"dataset {dataset!r}")
        digest = digests.remembered(dataset, memory, data.digest)
        if not all(fs.settled(one, now) for one in stamps):
            return digest, found
        _digests[known] = digest
    return _digests[known], found


def _touched(before: os.stat_result | None, now: os.stat_result) -> bool:
    """Whether a file may have been written: one that gets its old modification time back still has a new change time.

    So has one that got another name or mode, which does not count.
    """
    if before is None or fs.stamps(before) == fs.stamps(now):
        return before is None
    written = (before.st_size, before.st_mtime_ns, before.st_ino) != (now.st_size, now.st_mtime_ns, now.st_ino)
    return written or (before.st_nlink, before.st_mode, before.st_uid) == (now.st_nlink, now.st_mode, now.st_uid)


def _other_roles(stage: Stage, seen: Seen) -> list[str]:
    """What has another digest than the stage's key says, in words."""
    planned: Mapping[str, str] = {**stage.document.get("files", {}), **stage.document.get("datasets", {})}
    return [_name(stage, role) for role, digest in seen.digests.items() if digest != planned.get(role)]


def _name(stage: Stage, role: str) -> str:
    if role in stage.datasets:
        return f"dataset {stage.datasets[role].name}: {stage.datasets[role].path}"
    return str(stage.files[role])


def _refuse(names: list[str], what: str) -> None:
    if names:
        message = f"{', '.join(names)} {what}"
        raise SourceError(message, hint=_HINT)
