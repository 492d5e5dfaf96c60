"""A model of a hub, by id and revision, through the hub's own local cache.

Only the files that an export reads are downloaded. A pinned commit that is in the cache needs no network.
"""

from __future__ import annotations

import io
import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import runner.files as fs
from runner.errors import SourceError
from runner.recipe.types import ModelSource
from runner.sources import Located, Memory
from runner.sources.folder import needed_files
from runner.stages import Progress

_COMMIT = re.compile(r"[0-9a-f]{40}")
_TOKENIZERS = (
    "tokenizer.json",
    "vocab.json",
    "vocab.txt",
    "tokenizer.model",
    "spiece.model",
    "sentencepiece.bpe.model",
)
_FALLBACK = "The recipe dialogpt-mini-int4 needs no network at all: its model travels with ovrun."


def cache_folder() -> Path:
    """The hub's local cache, where its own environment variables put it."""
    home = os.environ.get("HF_HOME") or Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "huggingface"
    chosen = os.environ.get("HF_HUB_CACHE") or os.environ.get("HUGGINGFACE_HUB_CACHE") or Path(home) / "hub"
    return Path(chosen).expanduser()


def locate(model: ModelSource, memory: Memory) -> Located:
    """Find the commit of a hub model; its files come with the fetch stage."""
    assert model.id is not None
    revision = model.revision or "main"
    commit = revision if _COMMIT.fullmatch(revision) else _resolve(model.id, revision)
    return Located(
        reader="transformers",
        identity={"source": "huggingface", "id": model.id, "revision": commit, "requested_revision": revision},
        fetch={
            "id": model.id,
            "commit": commit,
            "allow_pickle": model.allow_pickle,
            "trust_remote_code": model.trust_remote_code,
        },
        task=model.task,
        config=fs.read_json(_snapshot(model.id, commit) / "config.json"),
    )


def fetch(params: Mapping[str, Any], out: Path, progress: Progress) -> dict[str, Any]:
    """Bring one commit's needed files into `out`, as hard links to the hub's cache where that is possible.

    Raises:
        SourceError: no network and not in the cache, no such model, no access, or no weights that may be loaded.
    """
    model = ModelSource(
        source="huggingface",
        id=params["id"],
        revision=params["commit"],
        allow_pickle=params["allow_pickle"],
        trust_remote_code=params["trust_remote_code"],
    )
    snapshot = _snapshot(params["id"], params["commit"])
    if _complete(snapshot, model):
        names = needed_files((p.name for p in snapshot.iterdir()), model)
        paths = {name: snapshot / name for name in names}
    else:
        paths = _download(model, progress)
    for name, path in paths.items():
        fs.link_file(path.resolve(), out / name)  # the hub's cache keeps its files behind links
    from runner.export import check_folder

    check_folder(out, model.allow_pickle)
    return {"id": params["id"], "commit": params["commit"], "files": sorted(paths)}


def _snapshot(repo: str, commit: str) -> Path:
    return cache_folder() / f"models--{repo.replace('/', '--')}" / "snapshots" / commit


def _complete(snapshot: Path, model: ModelSource) -> bool:
    """Whether the cache holds all that an export reads: a configuration, whole weights, a tokenizer."""
    if not (snapshot / "config.json").exists():
        return False
    names = needed_files((p.name for p in snapshot.iterdir()), model)
    weights = {n for n in names if n.endswith((".safetensors", ".bin"))}
    index = next((n for n in names if n.endswith(".index.json")), None)
    if index:
        weights_named = set(json.loads((snapshot / index).read_text(encoding="utf-8"))["weight_map"].values())
        whole = weights_named <= weights
    else:
        whole = bool(weights)
    return whole and any(name in names for name in _TOKENIZERS)


def _resolve(repo: str, revision: str) -> str:
    """The commit that a branch or tag is at now; without a network, the one the cache last saw."""
    try:
        from huggingface_hub import HfApi

        return str(HfApi().model_info(repo, revision=revision).sha)
    except Exception as error:
        ref = cache_folder() / f"models--{repo.replace('/', '--')}" / "refs" / revision
        if _unreachable(error) and ref.is_file():
            return ref.read_text(encoding="utf-8").strip()
        raise _worded(error, repo, revision) from error


def _download(model: ModelSource, progress: Progress) -> dict[str, Path]:
    assert model.id is not None and model.revision is not None
    try:
        from huggingface_hub import HfApi, hf_hub_download

        info = HfApi().model_info(model.id, revision=model.revision, files_metadata=True)
        sizes = {s.rfilename: s.size or 0 for s in info.siblings}
        names = needed_files(sizes, model)
        _require_weights(names, sizes, model)
        paths: dict[str, Path] = {}
        done, total = 0, sum(sizes[name] for name in names)
        for name in names:
            progress(done, total)
            paths[name] = Path(
                hf_hub_download(model.id, name, revision=model.revision, tqdm_class=_bar(progress, done, total))
            )
            done += sizes[name]
    except SourceError:
        raise
    except Exception as error:
        raise _worded(error, model.id, model.revision) from error
    return paths


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


def _require_weights(names: list[str], sizes: Mapping[str, int], model: ModelSource) -> None:
    if any(name.endswith((".safetensors", ".bin")) for name in names):
        return
    if any(name.startswith("pytorch_model") for name in sizes):
        message = f"{model.id} has its weights only as Python pickles, which can run code when they are loaded"
        raise SourceError(message, hint="If you trust their author, set model.allow_pickle: true.")
    message = f"{model.id} at {model.revision} holds no PyTorch weights"
    raise SourceError(message)


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
        "--include '*.json' '*.txt' '*.model' '*.jinja' 'model*.safetensors'\n\n"
        f"and bring that cache here (HF_HUB_CACHE names its place). {_FALLBACK}",
    )
