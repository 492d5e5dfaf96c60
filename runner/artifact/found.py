"""Where on this machine the model and the data of a version are: stated, as its manifest says, or near by that name."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from runner import data as readers
from runner import sources
from runner.base.values import section
from runner.errors import OvrunError, SourceError
from runner.recipe import build
from runner.recipe.build import dataset, model_source
from runner.recipe.origins import KeyPath, dotted
from runner.recipe.types import Companion
from runner.registry.own import CODE
from runner.sources import find_vocoder
from runner.sources.adapter import find
from runner.sources.python_file import digest
from runner.sources.pytorch import find_weights

if TYPE_CHECKING:
    from runner.artifact.types import DatasetRecord, Manifest

_LEVELS = 6
"""How many folders above the version are looked into."""


def model(manifest: Manifest, folder: Path, stated: Path | None) -> dict[str, object]:
    """The recipe's section `model`, its path one on this machine, its commit the one that was used.

    Raises:
        SourceError: it is nowhere.
    """
    section = dict(manifest["recipe"]["model"])
    if "revision" in manifest["model"]:
        section["revision"] = manifest["model"]["revision"]
    if "path" in section.get("adapter", {}):
        section["adapter"] = {**section["adapter"], "path": _adapter(section["adapter"]["path"], manifest, folder)}
    if "path" in section.get("vocoder", {}):
        section["vocoder"] = {**section["vocoder"], "path": _vocoder(section["vocoder"]["path"], manifest, folder)}
    if "weights" in section:
        section["weights"] = _weights(section["weights"], manifest, folder)
    if "path" not in section:
        return section

    def fits(path: Path) -> bool:
        whole = replace(model_source({**section, "path": str(path)}), adapter=None, vocoder=None, weights=None)
        located = sources.locate(whole, lambda name: None)
        return bool(located.identity.get("sha256") == manifest["model"].get("sha256"))

    section["path"] = str(_find("the model", section["path"], folder, stated, fits, "--model PATH"))
    return section


def _adapter(said: str, manifest: Manifest, folder: Path) -> str:
    """Where the adapter is."""

    def fits(path: Path) -> bool:
        return bool(find(path).digest == manifest["model"].get("adapter_sha256"))

    return str(_find("the adapter", said, folder, None, fits, "`ovrun optimize recipe.yaml model.adapter.path=PATH`"))


def _vocoder(said: str, manifest: Manifest, folder: Path) -> str:
    """Where the vocoder is."""

    def fits(path: Path) -> bool:
        found = find_vocoder(Companion(path), True, lambda name: None)
        return bool(found.digest == manifest["model"].get("vocoder_sha256"))

    return str(_find("the vocoder", said, folder, None, fits, "`ovrun optimize recipe.yaml model.vocoder.path=PATH`"))


def _weights(said: str, manifest: Manifest, folder: Path) -> str:
    """Where the weights are."""

    def fits(path: Path) -> bool:
        return bool(find_weights(path, lambda name: None).digest == manifest["model"].get("weights_sha256"))

    return str(
        _find("the file of weights", said, folder, None, fits, "`ovrun optimize recipe.yaml model.weights=PATH`")
    )


def datasets(manifest: Manifest, folder: Path, stated: Mapping[str, Path]) -> dict[str, object]:
    """The recipe's section `datasets` with paths on this machine.

    Raises:
        SourceError: one that is read is nowhere.
    """
    return {
        name: _dataset(name, section, manifest["datasets"].get(name), folder, stated.get(name))
        for name, section in manifest["recipe"].get("datasets", {}).items()
    }


def _dataset(
    name: str, section: Mapping[str, Any], said: DatasetRecord | None, folder: Path, stated: Path | None
) -> dict[str, Any]:
    if "path" not in section or said is None:  # embedded, or read by no stage
        return dict(section)

    def fits(path: Path) -> bool:
        return bool(readers.digest(dataset(name, {**section, "path": str(path)})) == said["sha256"])

    where = _find(f"dataset {name}", section["path"], folder, stated, fits, f"--data {name}=PATH")
    return {**section, "path": str(where)}


def with_metrics(recipe: Mapping[str, object], manifest: Manifest, folder: Path) -> dict[str, object]:
    """The recipe with the files of metrics of its own on this machine.

    Raises:
        SourceError: one is nowhere.
    """
    known = {section(stage["document"], "files").get(CODE) for stage in manifest["stages"]}

    def change(metric: Mapping[str, object], at: KeyPath) -> dict[str, object]:
        option = f"`ovrun optimize recipe.yaml {dotted(at)}.path=PATH`"
        fits = lambda path: digest(path) in known  # noqa: E731
        return {"path": str(_find("the file of a metric", str(metric["path"]), folder, None, fits, option))}

    return build.with_metrics(recipe, change)


def _find(what: str, said: str, folder: Path, stated: Path | None, fits: Callable[[Path], bool], option: str) -> Path:
    """The first place that holds what fits; if none does the first that holds anything.

    Raises:
        SourceError: all are empty.
    """
    if stated is not None:
        return stated.absolute()
    there = [path for path in dict.fromkeys(_places(said, folder)) if path.exists()]
    if not there:
        message = f"{what} is not at {said}, seen from {folder}, nor under that name near it"
        raise SourceError(message, hint=f"Say where it is with {option}.")
    return next((path for path in there if _quietly(fits, path)), there[0])


def _quietly(fits: Callable[[Path], bool], path: Path) -> bool:
    try:
        return fits(path)
    except OvrunError:
        return False


def _places(said: str, folder: Path) -> Iterator[Path]:
    """As the manifest says; then by the end of that path, and by its name, in the folders around."""
    home = Path(os.path.abspath(folder))  # noqa: PTH100
    yield Path(os.path.normpath(home / said))
    parts = PurePosixPath(said).parts
    inside = [part for part in parts if part not in ("..", "/")]
    for base in (Path.cwd(), home, *list(home.parents)[:_LEVELS]):
        for start in range(len(inside)):
            yield base.joinpath(*inside[start:])
