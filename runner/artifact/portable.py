"""What an artifact says of paths: enough to find the data again beside it, and nothing of its maker's home.

A recipe's paths are absolute once it is loaded. An artifact says them relative to its own folder, so that a project
that was moved as a whole still finds its data; of a path that lies elsewhere, only the name.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from runner.base import resources
from runner.recipe.build import with_metrics
from runner.recipe.companions import COMPANIONS
from runner.recipe.types import Recipe
from runner.registry.metric_settings import ENCODER

_PATHS = ("path", "weights", ENCODER)
_COMMAND_LINE = "command line"


class Places:
    """The places that an artifact of one recipe may speak of.

    Args:
        recipe: whose paths are absolute.
        outputs: the folder of all artifacts.
        folder: the artifact's own.
    """

    def __init__(self, recipe: Recipe, outputs: Path, folder: Path) -> None:
        self.recipe, self.folder = recipe, _plain(folder)
        self.project = _plain(outputs).parent
        self.home = _plain(Path.home())
        stated = (
            recipe.model.path,
            *(one.path for one in (recipe.model.adapter, recipe.model.vocoder) if one),
            recipe.model.weights,
            recipe.accuracy.reference.path if recipe.accuracy.reference else None,
            *(Path(str(check.params[ENCODER])) for check in recipe.accuracy.checks if ENCODER in check.params),
            *(own.file for _, own in recipe.own_metrics),
            *(data.path for data in recipe.datasets.values()),
        )
        known = [path for path in stated if path]
        self._said = {str(path): self.path(str(path)) for path in known}
        for path, said in ((outputs, outputs.name), (Path.cwd(), "."), (Path.home(), "~")):
            self._said |= {str(_plain(path)): said, str(path.resolve()): said}

    def path(self, text: str) -> str:
        """An absolute path as the artifact says it; one that is relative stays."""
        path = Path(text).expanduser()
        if not path.is_absolute():
            return text
        common = Path(os.path.commonpath([self.folder, path]))
        return Path(os.path.relpath(path, self.folder)).as_posix() if self._shared(common) else path.name

    def _shared(self, common: Path) -> bool:
        """Whether a way from the artifact up to `common` and down again is one within a project or a home.

        A way by the root, or by the folder of all homes, would tell the whole path.
        """
        if common.is_relative_to(self.project):
            return common != Path(common.anchor)
        return len(common.parts) > 2 and (common == self.home or not self.home.is_relative_to(common))

    def recipe_data(self, resolved: Mapping[str, Any], identity: Mapping[str, str]) -> dict[str, Any]:
        """The resolved recipe with its paths as the artifact says them, and commits pinned.

        Args:
            identity: what is said of the model's origin.
        """
        model = self._with_path(resolved["model"])
        if "revision" in identity:
            model["revision"] = identity["revision"]
        for key in COMPANIONS:
            if f"{key}_revision" in identity:
                model[key]["revision"] = identity[f"{key}_revision"]
        datasets = {name: self._with_path(data) for name, data in resolved.get("datasets", {}).items()}
        known = {"model": model} | ({"datasets": datasets} if "datasets" in resolved else {})
        if accuracy := resolved.get("accuracy"):
            checks = [self._with_path(check) for check in accuracy["checks"]]
            reference = accuracy["reference"]
            stated = self._with_path(reference) if isinstance(reference, Mapping) else reference
            known["accuracy"] = accuracy | {"checks": checks, "reference": stated}
        said = {key: known.get(key, value) for key, value in resolved.items()}
        return with_metrics(said, lambda metric, at: self._with_path(metric))

    def _with_path(self, data: Mapping[str, Any]) -> dict[str, Any]:
        said = {key: self.path(value) if key in _PATHS else value for key, value in data.items()}
        return said | {key: self._with_path(data[key]) for key in COMPANIONS if key in data}

    def settings(self, value: Any, key: str = "") -> Any:
        """The settings of a sweep's point, whose paths may have any depth."""
        if isinstance(value, Mapping):
            return {name: self.settings(item, name) for name, item in value.items()}
        return self.path(value) if isinstance(value, str) and key.rpartition(".")[2] in _PATHS else self.said(value)

    def origins(self, origins: Mapping[str, str]) -> dict[str, str]:
        """Dotted key -> place; of the command line no more than that, of a file its path from the recipe's folder."""
        return {key: self._origin(where) for key, where in origins.items()}

    def _origin(self, where: str) -> str:
        if where.startswith(_COMMAND_LINE):
            return _COMMAND_LINE
        file, *position = where.rsplit(":", 2)
        path = Path.cwd() / file
        for folder, prefix in ((resources.recipes_dir(), "built in: "), (self.recipe.path.parent, "")):
            if path.is_relative_to(folder):
                return ":".join([f"{prefix}{path.relative_to(folder).as_posix()}", *position])
        return ":".join([self.path(str(path)), *position])

    def said(self, value: Any) -> Any:
        """Plain data with the paths of this machine that stand in its texts made short."""
        if isinstance(value, Mapping):
            return {key: self.said(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self.said(item) for item in value]
        return self._text(value) if isinstance(value, str) and os.sep in value else value

    def _text(self, text: str) -> str:
        for path in sorted(filter(lambda path: len(path) > 1, self._said), key=len, reverse=True):
            if path in text:
                text = re.sub(rf"{re.escape(path)}(?![\w-])", self._said[path].replace("\\", r"\\"), text)
        return text


def _plain(path: Path) -> Path:
    """An absolute path without `..`, links left as they are: so a recipe's own paths are made."""
    return Path(os.path.abspath(path))  # noqa: PTH100
