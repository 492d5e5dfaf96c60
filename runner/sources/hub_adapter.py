"""An adapter of a hub, by id and revision, through the hub's own local cache."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import runner.base.files as fs
from runner.base.progress import Progress
from runner.model import listing
from runner.recipe.types import AdapterSource, ModelSource
from runner.sources import Fetch
from runner.sources.adapter import SETTINGS, WEIGHTS, Adapter, described, find
from runner.sources.blobs import refuse_damaged
from runner.sources.huggingface import bring, resolve, snapshot_of

FILES = (SETTINGS, WEIGHTS)


def locate(wanted: AdapterSource) -> tuple[Adapter, str]:
    """An adapter as its configuration tells it, and its commit; its weights come with the fetch stage.

    Raises:
        SourceError: there is none, or it is of a method that can't be merged.
    """
    assert wanted.id is not None
    commit = resolve(wanted.id, wanted.revision or "main")
    snapshot = snapshot_of(wanted.id, commit)
    bring(_source(wanted.id, commit), snapshot, [SETTINGS], lambda *_: None)
    return replace(described(snapshot), fetch=Fetch(wanted.id, commit, False, False, FILES)), commit


def fetch(wanted: Fetch, out: Path, progress: Progress) -> dict[str, object]:
    """Bring the two files of an adapter into `out`.

    Raises:
        SourceError: one can't be had, or the weights are a pickle, or damaged.
    """
    snapshot = snapshot_of(wanted.id, wanted.commit)
    bring(_source(wanted.id, wanted.commit), snapshot, FILES, progress)
    for name, path in listing.real_files(snapshot, FILES).items():
        fs.copy_file(path, out / name)
        refuse_damaged(path, out / name)
    find(out)
    return {"id": wanted.id, "commit": wanted.commit, "files": list(FILES)}


def _source(repo: str, commit: str) -> ModelSource:
    return ModelSource("huggingface", id=repo, revision=commit)
