"""A Hugging Face folder on this machine, and which of its files a conversion needs."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import runner.files as fs
from runner.errors import SourceError
from runner.recipe.types import ModelSource
from runner.sources import Located, Memory

_SMALL = (".json", ".txt", ".model", ".jinja", ".tiktoken")
_OTHER_FRAMEWORKS = ("tf_model", "flax_model", "rust_model")


def locate(model: ModelSource, memory: Memory) -> Located:
    """Find a local Hugging Face folder, and check that it can be read without loading anything."""
    path = model.path
    if path is None or not path.is_dir():
        message = f"there is no folder {path}"
        raise SourceError(message, hint="model.path is taken relative to the file that states it.")
    return describe(path, model, memory, {"source": model.source, "path": str(path)})


def describe(path: Path, model: ModelSource, memory: Memory, identity: dict[str, str]) -> Located:
    """What is known of the Hugging Face folder at `path`."""
    from runner.export import check_folder

    check_folder(path, model.allow_pickle)
    names = needed_files((p.relative_to(path).as_posix() for p in fs.walk(path)), model)
    digest = fs.digest_paths({name: path / name for name in names}, memory(str(path)))
    return Located(
        reader="transformers",
        identity={**identity, "sha256": digest},
        path=path,
        digest=digest,
        task=model.task,
        config=fs.read_json(path / "config.json"),
    )


def needed_files(names: Iterable[str], model: ModelSource) -> list[str]:
    """The files of a Hugging Face model that an export reads: configuration, tokenizer, one set of weights.

    Weights are safetensors; PyTorch pickles only where there are none and the recipe allows them. Python files only
    with `trust_remote_code`. Folders inside (`onnx/`, `original/`) are other forms of the same model.
    """
    top = sorted(name for name in names if "/" not in name and not name.startswith("."))
    weights = [n for n in top if n.endswith(".safetensors") and n.startswith("model")]
    plain = [n for n in weights if n == "model.safetensors" or n.startswith("model-")]
    chosen = plain or weights
    if not chosen and model.allow_pickle:
        chosen = [n for n in top if n.startswith("pytorch_model") and n.endswith(".bin")]
    index = "model.safetensors.index.json" if plain or weights else "pytorch_model.bin.index.json"
    small = [
        n
        for n in top
        if n.endswith(_SMALL)
        and not n.startswith(_OTHER_FRAMEWORKS)
        and (not n.endswith(".index.json") or n == index)
        and not n.lower().startswith(("readme", "license"))
    ]
    code = [n for n in top if n.endswith(".py")] if model.trust_remote_code else []
    return sorted({*chosen, *small, *code})
