"""A model of PyTorch: a program that torch.export saved, or a Python file of which a class or function makes a module.

Nothing of either is run or unpickled here.
"""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path

import runner.base.files as fs
from runner.errors import SourceError
from runner.model import listing
from runner.recipe.types import ModelSource
from runner.sources import Located, Memory
from runner.sources.python_file import imports, parsed

SAFETENSORS, PICKLES = ".safetensors", (".pt", ".pth", ".bin")


@dataclass(frozen=True)
class Weights:
    """A file of weights.

    Attributes:
        files: it, by its role.
    """

    path: Path
    digest: str
    files: dict[str, Path]


def locate(model: ModelSource, memory: Memory) -> Located:
    """Find the file and the weights, and tell what the file imports."""
    path = _file(model.path, "model.path")
    used = None
    if path.suffix == ".py":
        used = imports(path, parsed(path))
    else:
        _refuse_no_program(path)
    weights = find_weights(model.weights, memory) if model.weights else None
    files = {f"model{path.suffix}": path}
    digest = fs.digest_paths(files, memory(str(path)))
    identity = {"source": model.source, "path": str(path), "sha256": digest}
    if weights:
        identity |= {"weights": str(weights.path), "weights_sha256": weights.digest}
    return Located(
        reader="pytorch",
        identity=identity,
        path=path,
        digest=digest,
        files=files,
        imports=used,
        weights=weights,
        example=model.code.example if model.code else (),
    )


def find_weights(path: Path, memory: Memory) -> Weights:
    """The file of weights of a recipe.

    Raises:
        SourceError: there is none.
    """
    path = _file(path, "model.weights")
    files = {f"weights{path.suffix}": path}
    return Weights(path, fs.digest_paths(files, memory(str(path))), files)


def _file(path: Path | None, key: str) -> Path:
    """The regular file that a path of the recipe stands for; a link of the same suffix stands for a file elsewhere."""
    if path is None or not path.exists():
        message = f"there is no file {path}"
        raise SourceError(message, hint=f"{key} is taken relative to the file that states it.")
    real = path.resolve()
    found = real if real.suffix == path.suffix else path
    if listing.real_file(found.parent, found.name).stat().st_size == 0:
        message = f"{found} is empty"
        raise SourceError(message)
    return found


def _refuse_no_program(path: Path) -> None:
    """Look for the program in an archive of torch.export; nothing of it is unpacked."""
    hint = "Save it anew with torch.export.save(torch.export.export(module, inputs), path)."
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, NotImplementedError, ValueError, EOFError, RuntimeError) as error:
        message = f"{path} is no archive of torch.export, or it is cut off"
        raise SourceError(message, hint=hint) from error
    if not any("/models/" in name and name.endswith(".json") for name in names):
        message = f"{path} holds no program of torch.export"
        raise SourceError(message, hint=hint)
