"""Where models come from: one module a kind, each with `locate(model, memory) -> Located`.

Locating is cheap and comes before any work: it finds the files, tells their digest (or the commit to fetch), and
refuses what can't be had. `kinds` declares them.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

from runner.errors import SourceError
from runner.model import vocoder
from runner.recipe.types import AdapterSource, Companion, ModelSource
from runner.registry.exporters import Example
from runner.registry.sources import SOURCES
from runner.sources.adapter import Adapter, find, refuse_misfit

if TYPE_CHECKING:
    from runner.sources.pytorch import Weights


@dataclass(frozen=True)
class Fetch:
    """What brings a hub model's files into the store.

    Attributes:
        commit: 40 hex digits.
        files: names; empty where they are not known before the download.
    """

    id: str
    commit: str
    allow_pickle: bool
    trust_remote_code: bool
    files: tuple[str, ...]


@dataclass(frozen=True)
class Located:
    """What is known of a model before any work.

    Attributes:
        reader: the exporter that makes an IR of it, such as `transformers` or `openvino`.
        path: the folder or file, or None while it has to be fetched.
        digest: SHA-256 over the files that are read, or None while they have to be fetched.
        files: name -> file, for those.
        fetch: what has to be fetched first, or None.
        task: the Optimum task, or None for models that OpenVINO reads.
        config: the model's config.json, or None where there is none yet.
        identity: what a manifest says of the model's origin.
        adapter: what was trained for it, or None.
        vocoder: what makes sound of what it gives, where that isn't in the model's own folder, or None.
        weights: the file of weights that it gets, or None where it has its own.
        imports: the distributions that the code which makes it imports from; None where no code does.
        example: its inputs, where the recipe says them.
    """

    reader: str
    identity: Mapping[str, str]
    path: Path | None = None
    digest: str | None = None
    files: Mapping[str, Path] = field(default_factory=dict)
    fetch: Fetch | None = None
    task: str | None = None
    config: Mapping[str, object] | None = None
    adapter: Adapter | None = None
    vocoder: Located | None = None
    weights: Weights | None = None
    imports: tuple[str, ...] | None = None
    example: tuple[Example, ...] = ()


Memory = Callable[[str], "Path | None"]
"""Name of a source -> the file that remembers its digests; None where none does."""


def locate(model: ModelSource, memory: Memory) -> Located:
    """Find a model.

    Raises:
        SourceError: it is not there, or is visibly broken.
    """
    source = importlib.import_module(SOURCES[model.source].module)
    try:
        located = cast(Located, source.locate(model, memory))
        located = _with_adapter(located, model.adapter, memory) if model.adapter else located
        return _with_vocoder(located, model.vocoder, model.allow_pickle, memory) if model.vocoder else located
    except OSError as error:
        message = f"{error.filename or model.path or model.id}: can't be read: {error.strerror or error}"
        raise SourceError(message) from error


def _with_adapter(located: Located, wanted: AdapterSource, memory: Memory) -> Located:
    """A model together with its adapter.

    Raises:
        SourceError: there is none, or it is one of another model.
    """
    if wanted.path is None:
        from runner.sources import hub_adapter

        adapter, commit = hub_adapter.locate(wanted)
        said = {"adapter": wanted.id, "adapter_revision": commit, "adapter_requested_revision": wanted.revision}
    else:
        adapter = find(wanted.path, memory(str(wanted.path)))
        said = {"adapter": str(wanted.path), "adapter_sha256": adapter.digest}
        if located.path is not None and located.reader == "transformers":
            refuse_misfit(adapter, located.path)
    known = {name: value for name, value in said.items() if value}
    return replace(located, adapter=replace(adapter, merge=wanted.merge), identity={**located.identity, **known})


def _with_vocoder(located: Located, wanted: Companion, pickles: bool, memory: Memory) -> Located:
    """A model together with its vocoder.

    Raises:
        SourceError: there is none, or it is a model of another kind.
    """
    found = find_vocoder(wanted, pickles, memory)
    names = ("sha256", "revision", "requested_revision")
    said = {f"vocoder_{name}": found.identity[name] for name in names if name in found.identity}
    identity = {**located.identity, "vocoder": wanted.id or str(wanted.path), **said}
    return replace(located, vocoder=found, identity=identity)


def find_vocoder(wanted: Companion, pickles: bool, memory: Memory) -> Located:
    """A vocoder: a model by itself, with a config.json and weights.

    Args:
        pickles: whether its weights may be a pickle.

    Raises:
        SourceError: there is none, or it is a model of another kind.
    """
    of = "huggingface" if wanted.id else "local"
    source = ModelSource(of, wanted.id, wanted.revision, wanted.path, "text-to-audio", allow_pickle=pickles)
    found = locate(source, memory)
    kind = None if found.config is None else found.config.get("model_type")
    if found.config is not None and kind != vocoder.KIND:
        message = f"{wanted.id or wanted.path}: is no vocoder: it is a model of type {kind}"
        raise SourceError(message, hint=f"model.vocoder is a model of type {vocoder.KIND}: microsoft/speecht5_hifigan.")
    return found
