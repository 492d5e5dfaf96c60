"""A model file that OpenVINO reads by itself: OpenVINO IR, ONNX, TFLite, TensorFlow, PaddlePaddle."""

from __future__ import annotations

import glob
from collections.abc import Mapping
from pathlib import Path

import runner.base.files as fs
from runner.errors import SourceError
from runner.model import listing
from runner.model.parts import IR
from runner.recipe.types import ModelSource
from runner.sources import Located, Memory
from runner.sources.onnx_data import external_files

_SUFFIXES = {
    "openvino": (".xml",),
    "onnx": (".onnx",),
    "tflite": (".tflite",),
    "tensorflow": (".pb", ".pbtxt", ".meta"),
    "paddle": (".pdmodel",),
}
_BESIDE = {".meta": (".index", ".data-*-of-*"), ".pdmodel": (".pdiparams",)}
_UNREADABLE = {
    ".h5": "save it as a SavedModel folder first",
    ".keras": "save it as a SavedModel folder first",
    ".pt": "save it in Hugging Face's format, or export it to ONNX first",
    ".pth": "save it in Hugging Face's format, or export it to ONNX first",
}


def locate(model: ModelSource, memory: Memory) -> Located:
    """Find a model file, and the files beside it that belong to it."""
    path = _model_file(model)
    root = folder_of(path)
    read = files(path)
    _refuse_damaged_settings(root, read)
    digest = fs.digest_paths({_role(path, name): file for name, file in read.items()}, memory(str(path)))
    identity = {"source": model.source, "path": str(path), "sha256": digest}
    return Located(
        reader="openvino",
        identity=identity,
        path=path,
        digest=digest,
        files=read,
        task=model.task,
        config=_config(root) if model.source == "openvino" else None,
    )


_SETTINGS_BYTES = 1 << 20
"""A larger JSON file is a vocabulary, which its reader checks."""


def _refuse_damaged_settings(root: Path, files: Mapping[str, Path]) -> None:
    """Settings beside an IR are JSON: OpenVINO GenAI takes what is none for an empty text, or fails late."""
    read = listing.reader(root)
    for name, file in files.items():
        if name.endswith(".json") and file.stat().st_size <= _SETTINGS_BYTES:
            read(name)


def folder_of(path: Path) -> Path:
    """The folder that holds a model's files: a SavedModel itself, or where a model file lies."""
    return path if path.is_dir() else path.parent


def _config(root: Path) -> dict[str, object] | None:
    """The config.json beside an exported model, if one is there that tells a model's type."""
    config = fs.read_object(root / "config.json")
    return config if isinstance(config.get("model_type"), str) else None


def _model_file(model: ModelSource) -> Path:
    path = model.path
    if path is None or not path.exists():
        message = f"there is no model at {path}"
        raise SourceError(message, hint="model.path is taken relative to the file that states it.")
    suffixes = _SUFFIXES[model.source]
    real = path.resolve()
    if real.suffix == path.suffix:  # a link to a model elsewhere stands for that; a hub cache's files have no suffix
        path = real
    if path.is_dir():
        path = _inside(path, model.source)
    elif path.suffix not in suffixes:
        message = f"{path.name} is not a model that source {model.source} reads; it reads {', '.join(suffixes)}"
        raise SourceError(message, hint=_advice(path))
    if listing.real_file(path.parent, path.name).stat().st_size == 0:
        message = f"{path} is empty"
        raise SourceError(message)
    return path.parent if path.name == "saved_model.pb" else path


def _advice(path: Path) -> str | None:
    for source, suffixes in _SUFFIXES.items():
        if path.suffix in suffixes:
            return f"Set model.source: {source}"
    advice = _UNREADABLE.get(path.suffix)
    return f"OpenVINO can't read {path.suffix}: {advice}." if advice else None


def _inside(folder: Path, source: str) -> Path:
    """The model file that a folder stands for: a SavedModel's graph, or its only one."""
    if source == "tensorflow" and (folder / "saved_model.pb").is_file():
        return folder / "saved_model.pb"
    found = [p for p in sorted(folder.iterdir()) if p.suffix in _SUFFIXES[source]]
    found = [p for p in found if "tokenizer" not in p.name] or found
    if len(found) == 1:
        return found[0]
    suffixes = " or ".join(_SUFFIXES[source])
    held = f"{len(found)} files ending in {suffixes}" if found else f"no file ending in {suffixes}"
    message = f"{folder} holds {held}; name one model file"
    raise SourceError(message)


def files(path: Path) -> dict[str, Path]:
    """Name -> file of all that OpenVINO reads of a model, and of what goes with an IR.

    Raises:
        SourceError: one of them is not there, is no file, or lies outside of the model's folder.
    """
    root = folder_of(path)
    return listing.real_files(root, listing.names(root, deep=True) if path.is_dir() else _names(path))


def _names(path: Path) -> list[str]:
    """The names of a model file and of what belongs to it."""
    if path.suffix == ".xml":
        return [path.name, _weights(path), *companions(path)]
    if path.suffix == ".onnx":
        return [path.name, *(_external(path, name) for name in external_files(path))]
    found = [path.name]
    for pattern in _BESIDE.get(path.suffix, ()):
        found += sorted(part.name for part in path.parent.glob(glob.escape(path.stem) + pattern))
    return found


def _role(path: Path, name: str) -> str:
    """What a file is for; of those that are called as the model is, `*` stands for its name, which may change."""
    return name if path.is_dir() or not name.startswith(f"{path.stem}.") else f"*{name.removeprefix(path.stem)}"


def _weights(path: Path) -> str:
    weights = path.with_suffix(".bin")
    if not weights.exists():
        message = f"{path} has no {weights.name} beside it"
        raise SourceError(message)
    return weights.name


def _external(path: Path, name: str) -> str:
    plain = listing.inner_name(str(path), name)
    if not (path.parent / plain).exists():
        message = f"{path} keeps weights in {name}, and there is no such file beside it"
        raise SourceError(message)
    return plain


def companions(path: Path) -> list[str]:
    """The names of an exported language model's tokenizer and configuration, which go with its IR."""
    if path.name != IR:
        return []
    return [
        name
        for name in listing.names(path.parent)
        if name not in ("manifest.json", "recipe.yaml")
        and (listing.is_setting(name) or "/" in name or "tokenizer" in name or name == listing.TEMPLATES)
        and not name.endswith(".index.json")
    ]
