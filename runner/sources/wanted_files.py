"""Which files of a hub's repository are brought: those of a model of transformers, or of a pipeline of diffusers."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

from runner.errors import SourceError
from runner.model import listing, pipeline
from runner.recipe.types import ModelSource


def is_pipeline(there: Collection[str]) -> bool:
    """Whether files are those of a pipeline."""
    return pipeline.INDEX in there and listing.CONFIG not in there


def without_shards(snapshot: Path, there: Collection[str], model: ModelSource) -> list[str]:
    """The files to bring of those in a repository, but for weights that only an index names."""
    if is_pipeline(there):
        index = pipeline.read_index(snapshot, listing.reader(snapshot))
        return pipeline.needed(there, _reader(snapshot), index, shards=False)
    main = listing.main_weights(there, _reader(snapshot), model.allow_pickle)
    return sorted({*listing.without_weights(there, code=model.trust_remote_code), *([main] if main else [])})


def shards_of(names: Collection[str], read: Callable[[str], object]) -> Iterator[str]:
    """The files that the indexes of weights among some files name."""
    for index in (name for name in names if name.endswith(".index.json")):
        folder = index.rpartition("/")[0]
        yield from (f"{folder}/{shard}" if folder else shard for shard in listing.shards(index, read(index)))


def cached(snapshot: Path) -> list[str]:
    """The files of a commit that the cache has."""
    return [name for name in listing.names(snapshot, deep=True) if (snapshot / name).exists()]


def _reader(snapshot: Path) -> Callable[[str], object]:
    """What gives the content of a snapshot's JSON file, or None where the cache does not have it."""
    read = listing.reader(snapshot)
    return lambda name: read(name) if (snapshot / name).exists() else None


def has_weights(snapshot: Path, there: Collection[str], model: ModelSource) -> bool:
    """Whether a commit's files are a configuration and whole weights."""
    if is_pipeline(there):
        with contextlib.suppress(SourceError):
            return bool(pipeline.check(snapshot))
    if listing.CONFIG not in there:
        return False
    main = listing.main_weights(there, _reader(snapshot), model.allow_pickle)
    if main is None:
        return False
    return not main.endswith(".index.json") or set(listing.shards(main, _reader(snapshot)(main))) <= {*there}
