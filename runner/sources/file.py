"""A model file that OpenVINO reads by itself: OpenVINO IR, ONNX, TFLite, TensorFlow, PaddlePaddle."""

from __future__ import annotations

import glob
from pathlib import Path

import runner.files as fs
from runner.errors import SourceError
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
    root = path if path.is_dir() else path.parent
    digest = fs.digest_paths(_parts(path), memory(str(path)))
    identity = {"source": model.source, "path": str(path), "sha256": digest}
    return Located(
        reader="openvino",
        identity=identity,
        path=path,
        digest=digest,
        task=model.task,
        config=fs.read_json(root / "config.json") if model.source == "openvino" else None,
    )


def _model_file(model: ModelSource) -> Path:
    path = model.path
    if path is None or not path.exists():
        message = f"there is no model at {path}"
        raise SourceError(message, hint="model.path is taken relative to the file that states it.")
    suffixes = _SUFFIXES[model.source]
    if path.is_dir():
        path = _inside(path, model.source)
    elif path.suffix not in suffixes:
        message = f"{path.name} is not a model that source {model.source} reads; it reads {', '.join(suffixes)}"
        raise SourceError(message, hint=_advice(path))
    if path.stat().st_size == 0:
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


def _parts(path: Path) -> dict[str, Path]:
    """Role -> file, for the files whose bytes make the model; `*` stands for its name, which may change."""
    if path.is_dir():
        return {part.relative_to(path).as_posix(): part for part in fs.walk(path)}
    parts = {f"*{path.suffix}": path}
    if path.suffix == ".xml":
        return parts | {"*.bin": _weights(path)} | {part.name: part for part in companions(path)}
    if path.suffix == ".onnx":
        return parts | {name: _external(path, name) for name in external_files(path)}
    for pattern in _BESIDE.get(path.suffix, ()):
        found = path.parent.glob(glob.escape(path.stem) + pattern)
        parts |= {f"*{part.name.removeprefix(path.stem)}": part for part in found}
    return parts


def _weights(path: Path) -> Path:
    weights = path.with_suffix(".bin")
    if not weights.is_file():
        message = f"{path} has no {weights.name} beside it"
        raise SourceError(message)
    return weights


def _external(path: Path, name: str) -> Path:
    file = path.parent / name
    if not file.is_file():
        message = f"{path} keeps weights in {name}, and there is no such file beside it"
        raise SourceError(message)
    return file


def companions(path: Path) -> list[Path]:
    """Tokenizer and configuration of an exported language model, which go with its IR."""
    if path.name != "openvino_model.xml":
        return []
    return sorted(
        p
        for p in path.parent.iterdir()
        if p.is_file()
        and (p.suffix in (".json", ".txt", ".model", ".jinja") or "tokenizer" in p.name)
        and p.name not in ("manifest.json", "recipe.yaml")
    )
