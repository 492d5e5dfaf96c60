"""Cheap checks of a Hugging Face folder, with the standard library alone: what can be told before torch is imported."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from runner.errors import SourceError

SAFETENSORS = "model.safetensors"
SAFETENSORS_INDEX = "model.safetensors.index.json"
PICKLE = "pytorch_model.bin"
PICKLE_INDEX = "pytorch_model.bin.index.json"
FOREIGN = ("tf_model.h5", "flax_model.msgpack")
_MAX_HEADER = 100_000_000  # bytes; the limit of the safetensors format


def check_folder(source: Path, allow_pickle: bool) -> None:
    """Raise SourceError when `source` is no model folder that `runner.export.export_folder` could load.

    Finds a missing folder or config.json, weights that are absent, truncated or Git LFS pointers, a shard index that
    names absent shards, and a folder that holds its weights as pickles alone while `allow_pickle` is False.
    """
    if not source.is_dir():
        message = f"{source}: no such folder"
        raise SourceError(message)
    read_config(source)
    _check_weights(source, allow_pickle)


def read_config(source: Path) -> dict[str, Any]:
    """The folder's config.json; SourceError when it is absent or not a JSON object that names a model type."""
    path = source / "config.json"
    if not path.is_file():
        message = f"{source}: not a Hugging Face model folder: it has no config.json"
        hint = "Give the folder that holds config.json and model.safetensors; a hub cache keeps it under snapshots/<revision>."
        raise SourceError(message, hint=hint)
    config = _read_json(path)
    if not isinstance(config.get("model_type"), str):
        message = f"{path}: names no model_type, so the architecture is unknown"
        raise SourceError(message)
    return config


def _read_json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        message = f"{path}: cannot be read as JSON: {error}"
        raise SourceError(message) from error
    if not isinstance(value, dict):
        message = f"{path}: holds no JSON object"
        raise SourceError(message)
    return value


def _check_weights(source: Path, allow_pickle: bool) -> None:
    """Look at the weight files in the order in which transformers takes them."""
    if (source / SAFETENSORS).is_file():
        check_safetensors(source / SAFETENSORS)
    elif (source / SAFETENSORS_INDEX).is_file():
        for shard in _shards(source / SAFETENSORS_INDEX):
            check_safetensors(shard)
    elif (source / PICKLE).is_file() or (source / PICKLE_INDEX).is_file():
        _check_pickle(source, allow_pickle)
    else:
        _no_weights(source)


def _shards(index: Path) -> list[Path]:
    """The shard files that an index names, each once; SourceError when one is absent."""
    weights = _read_json(index).get("weight_map")
    if not isinstance(weights, dict) or not weights:
        message = f"{index}: has no weight_map"
        raise SourceError(message)
    names = sorted({str(name) for name in weights.values()})
    missing = [name for name in names if not (index.parent / name).is_file()]
    if missing:
        message = f"{index}: names {len(missing)} of {len(names)} shards that are not there: {', '.join(missing)}"
        raise SourceError(message, hint="Download the model again; the shards belong beside their index.")
    return [index.parent / name for name in names]


def _check_pickle(source: Path, allow_pickle: bool) -> None:
    if not allow_pickle:
        message = f"{source}: its weights are there as a pickle alone ({PICKLE}), and loading a pickle can run any code"
        hint = "Save the model as safetensors, or set `model.allow_pickle: true` if you trust where it comes from."
        raise SourceError(message, hint=hint)
    if not (source / PICKLE).is_file():
        _shards(source / PICKLE_INDEX)


def _no_weights(source: Path) -> None:
    foreign = [name for name in FOREIGN if (source / name).is_file()]
    found = f"only {', '.join(foreign)}, which is not PyTorch's" if foreign else "no weights"
    message = f"{source}: holds {found}; {SAFETENSORS} or {SAFETENSORS_INDEX} is needed"
    raise SourceError(message)


def check_safetensors(path: Path) -> None:
    """Compare a safetensors file's header with its size: 8 bytes of header length N, N bytes of JSON, the data.

    Raises:
        SourceError: the file is truncated, longer than its header says, or no safetensors file.
    """
    size = path.stat().st_size
    with path.open("rb") as stream:
        start = stream.read(8)
        _refuse_pointer(path, start)
        length = int.from_bytes(start, "little")
        if len(start) < 8 or not 0 < length <= _MAX_HEADER:
            message = f"{path}: no safetensors file ({size} bytes)"
            raise SourceError(message)
        header = stream.read(length)
    expected = 8 + length + (_data_length(path, header) if len(header) == length else 0)
    if len(header) < length or size != expected:
        what = "truncated" if size < expected or len(header) < length else "damaged"
        message = f"{path}: {what}: its header stands for {expected} bytes, the file has {size}"
        raise SourceError(message, hint="Download or copy the file again.")


def _refuse_pointer(path: Path, start: bytes) -> None:
    if start == b"version ":
        message = f"{path}: a Git LFS pointer stands in place of the weights"
        raise SourceError(message, hint=f"Run `git lfs pull` in {os.fspath(path.parent)}.")


def _data_length(path: Path, header: bytes) -> int:
    """The bytes of data that a safetensors header accounts for."""
    try:
        entries = json.loads(header)
        return max(
            (int(entry["data_offsets"][1]) for key, entry in entries.items() if key != "__metadata__"), default=0
        )
    except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        message = f"{path}: no safetensors file: its header cannot be read"
        raise SourceError(message) from error
