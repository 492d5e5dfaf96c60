"""A model file that OpenVINO reads by itself: OpenVINO IR, ONNX, TFLite, TensorFlow, PaddlePaddle."""

from __future__ import annotations

from pathlib import Path

import runner.files as fs
from runner.errors import SourceError
from runner.recipe.types import ModelSource
from runner.sources import Located, Memory

_SUFFIXES = {
    "openvino": (".xml",),
    "onnx": (".onnx",),
    "tflite": (".tflite",),
    "tensorflow": (".pb", ".pbtxt", ".meta"),
    "paddle": (".pdmodel",),
}
_UNREADABLE = {
    ".h5": "save it as a SavedModel folder first",
    ".keras": "save it as a SavedModel folder first",
    ".pt": "save it in Hugging Face's format, or export it to ONNX first",
    ".pth": "save it in Hugging Face's format, or export it to ONNX first",
}


def locate(model: ModelSource, memory: Memory) -> Located:
    """Find a model file, and the files beside it that belong to it."""
    path = _model_file(model)
    parts = _parts(path, model.source)
    root = path if path.is_dir() else path.parent
    digest = fs.digest_paths({part.relative_to(root).as_posix(): part for part in parts}, memory(str(path)))
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
        return _inside(path, model.source)
    if path.suffix not in suffixes:
        message = f"{path.name} is not a model that source {model.source} reads; it reads {', '.join(suffixes)}"
        raise SourceError(message, hint=_advice(path))
    if path.stat().st_size == 0:
        message = f"{path} is empty"
        raise SourceError(message)
    return path


def _advice(path: Path) -> str | None:
    for source, suffixes in _SUFFIXES.items():
        if path.suffix in suffixes:
            return f"Set model.source: {source}"
    advice = _UNREADABLE.get(path.suffix)
    return f"OpenVINO can't read {path.suffix}: {advice}." if advice else None


def _inside(folder: Path, source: str) -> Path:
    """A folder stands for a SavedModel, or for its only model file."""
    if source == "tensorflow" and (folder / "saved_model.pb").is_file():
        return folder
    found = [p for p in sorted(folder.iterdir()) if p.suffix in _SUFFIXES[source]]
    found = [p for p in found if "tokenizer" not in p.name] or found
    if len(found) == 1:
        return found[0]
    suffixes = " or ".join(_SUFFIXES[source])
    held = f"{len(found)} files ending in {suffixes}" if found else f"no file ending in {suffixes}"
    message = f"{folder} holds {held}; name one model file"
    raise SourceError(message)


def _parts(path: Path, source: str) -> list[Path]:
    """The files whose bytes make the model, `path` included."""
    if path.is_dir():
        return list(fs.walk(path))
    if source == "openvino":
        weights = path.with_suffix(".bin")
        if not weights.is_file():
            message = f"{path} has no {weights.name} beside it"
            raise SourceError(message)
        return [path, weights, *companions(path)]
    beside = (p for p in path.parent.iterdir() if p.is_file() and p != path)
    return [path, *sorted(p for p in beside if _belongs(p, path, source))]


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


def _belongs(path: Path, model: Path, source: str) -> bool:
    """Weights kept outside an ONNX or Paddle file, a text graph's checkpoint."""
    if source == "onnx":
        return path.name.startswith(model.stem) or path.name.endswith((".data", "_data", ".weight", ".bin"))
    return path.name.startswith(model.stem + ".")
