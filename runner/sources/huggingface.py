"""A model of a hub, by id and revision, through the hub's own local cache.

Only the files that an export reads are downloaded. Which these are tells the hub's own list of a commit's files, asked
for once and remembered; without a network, what the cache holds. They are part of the key: two sets are two models.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import runner.base.files as fs
from runner.base.progress import Progress
from runner.errors import SourceError
from runner.model import listing, pipeline
from runner.model.check import check_folder
from runner.recipe.types import ModelSource
from runner.sources import Fetch, Located, Memory, wanted_files
from runner.sources.blobs import refuse_damaged
from runner.sources.folder import inferred_task

_COMMIT = re.compile(r"[0-9a-f]{40}")
_OFFLINE = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")
_CLASS = "_class_name"
"""What model_index.json has and config.json has not."""
_FALLBACK = "The recipe dialogpt-mini-int4 needs no network at all: its model travels with ovrun."


def cache_folder() -> Path:
    """The hub's local cache, where its own environment variables put it."""
    home = os.environ.get("HF_HOME") or Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "huggingface"
    chosen = os.environ.get("HF_HUB_CACHE") or os.environ.get("HUGGINGFACE_HUB_CACHE") or Path(home) / "hub"
    return Path(chosen).expanduser()


def locate(model: ModelSource, memory: Memory) -> Located:
    """Find the commit of a hub model and the names of its files; these come with the fetch stage."""
    assert model.id is not None
    revision = model.revision or "main"
    commit = resolve(model.id, revision)
    config = _config(model.id, commit)
    files = _names(model, commit, memory(f"files of {model.id} at {commit}"))
    return Located(
        reader=pipeline.READER if config and _CLASS in config else "transformers",
        identity={"source": "huggingface", "id": model.id, "revision": commit, "requested_revision": revision},
        fetch=Fetch(model.id, commit, model.allow_pickle, model.trust_remote_code, tuple(files or ())),
        task=model.task or _task(model.id, config),
        config=config,
    )


def _task(repo: str, config: Mapping[str, object] | None) -> str:
    if config is None:
        message = f"model.task is not stated, and the config.json of {repo}, which may tell it, can't be had"
        raise SourceError(message, hint="State model.task as Optimum names it, such as text-generation-with-past.")
    return pipeline.tasks(config)[0] if _CLASS in config else inferred_task(config)


def _config(repo: str, commit: str) -> dict[str, object] | None:
    """A model's config.json, or a pipeline's model_index.json, from the cache or the hub; None where neither has it.

    Raises:
        SourceError: it is of a pipeline that can't be converted.
    """
    snapshot = snapshot_of(repo, commit)
    for name, key in ((listing.CONFIG, "model_type"), (pipeline.INDEX, _CLASS)):
        if not (snapshot / name).is_file() and not _offline():
            with contextlib.suppress(Exception):  # the fetch stage will say why
                from huggingface_hub import hf_hub_download

                hf_hub_download(repo, name, revision=commit)
        config = fs.read_object(snapshot / name)
        if key in config:
            return _typed(config) if key != _CLASS else pipeline.read_index(snapshot, listing.reader(snapshot))
    return None


def _typed(config: dict[str, object]) -> dict[str, object] | None:
    return config if isinstance(config.get("model_type"), str) else None


def _names(model: ModelSource, commit: str, memory: Path | None) -> list[str] | None:
    """The files to fetch, but for those that an index of weights names; None where nobody can tell them now.

    Without the hub's list, the cache is taken to hold all where it holds a configuration and whole weights.
    """
    assert model.id is not None
    snapshot = snapshot_of(model.id, commit)
    there: Collection[str] | None = _listed(model.id, commit, memory)
    if there is None:
        there = wanted_files.cached(snapshot)
        if not wanted_files.has_weights(snapshot, there, model):
            return None
    return wanted_files.without_shards(snapshot, there, model)


def _listed(repo: str, commit: str, memory: Path | None) -> list[str] | None:
    """The hub's list of the files at a commit, which never changes; None where it can't be reached."""
    known = fs.read_object(memory).get("listing") if memory else None
    if isinstance(known, list) and all(isinstance(name, str) for name in known):
        return known
    if _offline():
        return None
    try:
        from huggingface_hub import HfApi

        told = [sibling.rfilename for sibling in HfApi().model_info(repo, revision=commit).siblings or ()]
    except Exception:
        return None
    names = [name for name in told if listing.is_inner(name)]
    with contextlib.suppress(OSError):
        if memory:
            fs.write_json(memory, {"source": repo, "listing": sorted(names)})
    return sorted(names)


def _offline() -> bool:
    return any(os.environ.get(name, "").upper() in ("1", "ON", "YES", "TRUE") for name in _OFFLINE)


def fetch(wanted: Fetch, out: Path, progress: Progress) -> dict[str, object]:
    """Bring one commit's needed files into `out`.

    Weights share their bytes with the hub's cache where that is possible, by a hard link if need be: they may be many
    GB, nobody edits a file that is named by its digest, and the store would find it. All else is copied.

    Raises:
        SourceError: no network and not in the cache, no such model, no access, or no weights that may be loaded.
    """
    model = ModelSource(
        source="huggingface",
        id=wanted.id,
        revision=wanted.commit,
        allow_pickle=wanted.allow_pickle,
        trust_remote_code=wanted.trust_remote_code,
    )
    snapshot = snapshot_of(wanted.id, wanted.commit)
    names: Sequence[str] = wanted.files
    bring(model, snapshot, names or [listing.CONFIG], progress)
    names = names or wanted_files.without_shards(snapshot, _repository(model), model)
    read = listing.reader(snapshot)
    if not wanted_files.is_pipeline(names) and listing.main_weights(names, read, model.allow_pickle) is None:
        raise _no_weights(model)
    bring(model, snapshot, names, progress)
    names = sorted({*names, *wanted_files.shards_of(names, read)})
    bring(model, snapshot, names, progress)
    for name, path in listing.real_files(snapshot, names).items():
        take = fs.link_file if name.endswith((".safetensors", ".bin")) else fs.copy_file
        take(path, out / name)
        refuse_damaged(path, out / name)
    if wanted_files.is_pipeline(names):
        pipeline.check(out)
    else:
        check_folder(out, model.allow_pickle, code=model.trust_remote_code)
    return {"id": wanted.id, "commit": wanted.commit, "files": list(names)}


def snapshot_of(repo: str, commit: str) -> Path:
    return cache_folder() / f"models--{repo.replace('/', '--')}" / "snapshots" / commit


def resolve(repo: str, revision: str) -> str:
    """A commit, or the one that a branch or tag is at now; without a network, the one the cache last saw."""
    if _COMMIT.fullmatch(revision):
        return revision
    try:
        from huggingface_hub import HfApi

        return str(HfApi().model_info(repo, revision=revision).sha)
    except Exception as error:
        ref = cache_folder() / f"models--{repo.replace('/', '--')}" / "refs" / revision
        if _unreachable(error) and (commit := _known(ref)):
            return commit
        raise _worded(error, repo, revision) from error


def _known(ref: Path) -> str | None:
    """The commit that a file of the cache holds."""
    with contextlib.suppress(OSError):
        text = fs.read_limited(ref, 100).decode(errors="replace").strip()
        return text if _COMMIT.fullmatch(text) else None
    return None


def _repository(model: ModelSource) -> list[str]:
    """The hub's list of the files at a commit.

    Raises:
        SourceError: it can't be had.
    """
    assert model.id is not None and model.revision is not None
    try:
        from huggingface_hub import HfApi

        told = [sibling.rfilename for sibling in HfApi().model_info(model.id, revision=model.revision).siblings or ()]
        return [name for name in told if listing.is_inner(name)]
    except Exception as error:
        raise _worded(error, model.id, model.revision) from error


def bring(model: ModelSource, snapshot: Path, names: Collection[str], progress: Progress) -> None:
    """Have files of a commit in the cache.

    Raises:
        SourceError: one is not there and can't be downloaded.
    """
    missing = [name for name in names if not (snapshot / name).exists()]
    if not missing:
        return
    assert model.id is not None and model.revision is not None
    try:
        from huggingface_hub import HfApi, hf_hub_download

        info = HfApi().model_info(model.id, revision=model.revision, files_metadata=True)
        sizes = {sibling.rfilename: sibling.size or 0 for sibling in info.siblings or ()}
        done, total = 0, sum(sizes.get(name, 0) for name in missing)
        for name in missing:
            progress(done, total)
            hf_hub_download(model.id, name, revision=model.revision, tqdm_class=_bar(progress, done, total))
            done += sizes.get(name, 0)
    except Exception as error:
        raise _worded(error, model.id, model.revision) from error


def _bar(progress: Progress, done: int, total: int) -> Any:
    """A tqdm that tells our progress instead of drawing."""
    from tqdm import tqdm

    class Bar(tqdm):  # type: ignore[type-arg]
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            kwargs.pop("name", None)
            super().__init__(*args, **{**kwargs, "disable": False, "file": io.StringIO()})

        def update(self, n: float | None = 1) -> bool | None:
            shown = super().update(n)
            progress(done + int(self.n), total)
            return shown

    return Bar


def _no_weights(model: ModelSource) -> SourceError:
    if any(name.startswith("pytorch_model") for name in _repository(model)):
        message = f"{model.id} has its weights only as Python pickles, which can run code when they are loaded"
        return SourceError(message, hint="If you trust their author, set model.allow_pickle: true.")
    message = f"{model.id} at {model.revision} holds no PyTorch weights"
    return SourceError(message)


def _unreachable(error: Exception) -> bool:
    from huggingface_hub import errors

    refused = (errors.RepositoryNotFoundError, errors.RevisionNotFoundError, errors.GatedRepoError)
    return not isinstance(error, (*refused, errors.HFValidationError))


def _worded(error: Exception, repo: str, revision: str) -> SourceError:
    from huggingface_hub import errors

    if isinstance(error, errors.GatedRepoError):
        message = f"{repo} is gated: its authors must grant you access"
        return SourceError(message, hint="Ask for access on the model's page, then log in with `hf auth login`.")
    if isinstance(error, errors.RevisionNotFoundError):
        message = f"{repo} has no revision {revision}"
        return SourceError(message, hint="Check model.revision; a commit has 40 hex digits.")
    if isinstance(error, errors.RepositoryNotFoundError | errors.HFValidationError):
        message = f"there is no model {repo} on the hub, or it is private"
        return SourceError(message, hint="Check model.id; for a private model log in with `hf auth login`.")
    if isinstance(error, OSError) and error.errno is not None:
        raise error
    message = f"{repo} is not in the hub's local cache ({cache_folder()}), and the hub can't be reached"
    return SourceError(
        message,
        hint=f"Where there is a network, run\n\n    hf download {repo} --revision {revision} "
        f"--include {listing.patterns()} 'model*.safetensors'\n\n"
        f"and bring that cache here (HF_HUB_CACHE names its place). {_FALLBACK}",
    )
