"""Cheap checks of a Hugging Face folder, with the standard library alone: what can be told before torch is imported."""

from __future__ import annotations

import json
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
        hint = "Give the folder that holds config.json and the weights; a hub cache has it at snapshots/<revision>."
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


def safetensors_files(source: Path) -> list[Path]:
    """The safetensors files that transformers would load; none where the folder has no such weights."""
    if (source / SAFETENSORS).is_file():
        return [source / SAFETENSORS]
    return _shards(source / SAFETENSORS_INDEX) if (source / SAFETENSORS_INDEX).is_file() else []


def _check_weights(source: Path, allow_pickle: bool) -> None:
    """Look at the weight files in the order in which transformers takes them."""
    files = safetensors_files(source)
    for file in files:
        check_safetensors(file)
    if files:
        return
    if (source / PICKLE).is_file() or (source / PICKLE_INDEX).is_file():
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
    length, header = _read_header(path)
    expected = 8 + length + max((int(entry["data_offsets"][1]) for entry in header.values()), default=0)
    if size != expected:
        what = "truncated" if size < expected else "damaged"
        message = f"{path}: {what}: its header stands for {expected} bytes, the file has {size}"
        raise SourceError(message, hint="Download or copy the file again.")


def safetensors_dtypes(path: Path) -> set[str]:
    """The floating-point types in a safetensors file, by the format's own names: F32, F16, BF16 …"""
    return {entry["dtype"] for entry in _read_header(path)[1].values() if "F" in entry["dtype"]}


def _read_header(path: Path) -> tuple[int, dict[str, Any]]:
    """The header's length in bytes and its entries by tensor name."""
    with path.open("rb") as stream:
        start = stream.read(8)
        length = int.from_bytes(start, "little")
        raw = stream.read(length) if length <= _MAX_HEADER else b""
    if start == b"version ":
        message = f"{path}: a Git LFS pointer stands in place of the weights"
        raise SourceError(message, hint=f"Run `git lfs pull` in {path.parent}.")
    if len(start) < 8 or not 0 < len(raw) == length:
        message = f"{path}: truncated, or no safetensors file: it ends before its header does"
        raise SourceError(message, hint="Download or copy the file again.")
    return length, _entries(path, raw)


def _entries(path: Path, raw: bytes) -> dict[str, Any]:
    try:
        entries = {name: entry for name, entry in json.loads(raw).items() if name != "__metadata__"}
        valid = all(isinstance(entry["dtype"], str) and len(entry["data_offsets"]) == 2 for entry in entries.values())
    except (ValueError, KeyError, TypeError, AttributeError):
        valid = False
    if not valid:
        message = f"{path}: no safetensors file: its header cannot be read"
        raise SourceError(message)
    return entries
