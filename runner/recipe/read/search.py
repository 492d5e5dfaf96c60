"""The name of a recipe or a preset -> its file, and the list of all recipes."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from runner.base import resources
from runner.base.paths import expanded, is_file, is_folder
from runner.base.words import enumerate_names, near, shorten
from runner.errors import Problem, RecipeError
from runner.recipe.origins import show_path

if TYPE_CHECKING:
    from runner.recipe.read.yamlfile import YamlFile

ALL = "`ovrun list` shows all"
"""What to say where there are too many names to read."""
NAME = re.compile(r"[A-Za-z0-9][\w.-]*")


@dataclass(frozen=True)
class RecipeEntry:
    """A recipe that can be named; `description` is empty where the file can't be read as YAML.

    `points` is the number of points of the file's own `sweep`, None where it has none; `publishes` is the name of its
    versions, which is that of the file unless the recipe states another.
    """

    name: str
    path: Path
    description: str
    builtin: bool
    points: int | None = None
    publishes: str = ""


def folders(recipes_dir: Path | None = None) -> list[Path]:
    """Where recipes are looked for: the user's folder (`recipes_dir`, or else ./recipes), then the built-in ones."""
    user = recipes_dir or Path("recipes")
    if recipes_dir and not is_folder(recipes_dir):
        raise RecipeError([Problem(show_path(recipes_dir), "", "no such folder of recipes")])
    found = [user.absolute()] if user.is_dir() else []
    builtin = resources.recipes_dir()
    return found + ([builtin] if builtin not in found else [])


def around(path: Path, recipes_dir: Path | None = None) -> list[Path]:
    """Where a recipe's presets are looked for: its own folder, then those of all recipes."""
    return list(dict.fromkeys([path.parent, *folders(recipes_dir)]))


def presets(group: str, places: Iterable[Path]) -> list[str]:
    """The names of a group's presets."""
    return sorted({path.stem for folder in places for path in (folder / group).glob("*.yaml")})


def find_recipe(name: str, recipes_dir: Path | None = None) -> Path:
    """The file of a recipe, given by its name or as a path to a .yaml file.

    Raises:
        RecipeError: no such recipe (with the nearest names), no such file, or not a .yaml file.
    """
    if "/" in name or "\\" in name or name.endswith((".yaml", ".yml")):
        return _as_path(name)
    places = folders(recipes_dir)
    if NAME.fullmatch(name):
        for folder in places:
            if is_file(found := folder / f"{name}.yaml"):
                return found
            if is_file(found := folder / f"{name}.yml"):
                raise _rename(found)
    raise RecipeError([_missing(name, places)])


def _as_path(name: str) -> Path:
    path = expanded(name)
    if path.suffix == ".yml" and is_file(path):
        raise _rename(path)
    if path.suffix == ".yaml" and is_file(path):
        return path.absolute()
    if is_file(path):
        raise RecipeError([_problem(name, "not a recipe", "allowed: a file that ends in .yaml")])
    if is_folder(path) or _is_special(path):
        what = "is a folder" if is_folder(path) else "is not a regular file"
        raise RecipeError([_problem(name, what, "allowed: a file that ends in .yaml")])
    what = "no such file, and a recipe's name has no slashes, only letters, digits, dots, hyphens and underscores"
    known = [entry.name for entry in list_recipes()]
    raise RecipeError([_problem(name, what, suggestion=near(path.stem, known))])


def _problem(name: str, what: str, allowed: str | None = None, suggestion: str | None = None) -> Problem:
    return Problem(f"command line: {shorten(name)}", "", what, allowed, suggestion)


def _is_special(path: Path) -> bool:
    """Whether there is a device, a pipe or a socket."""
    try:
        return path.exists()
    except (OSError, ValueError):
        return False


def _rename(path: Path) -> RecipeError:
    what = f"recipes end in .yaml; rename it to {path.with_suffix('.yaml').name}"
    return RecipeError([Problem(show_path(path), "", what)])


def _missing(name: str, places: Sequence[Path]) -> Problem:
    known = sorted({path.stem for folder in places for path in folder.glob("*.yaml")})
    where = " or ".join(show_path(folder) for folder in places)
    return Problem(
        f"command line: {shorten(name)}",
        "",
        f"no such recipe in {where}",
        enumerate_names(known, more=ALL),
        near(name, known),
    )


def list_recipes(recipes_dir: Path | None = None) -> list[RecipeEntry]:
    """The recipes that can be named, by name; a user's recipe hides a built-in one of the same name."""
    builtin = resources.recipes_dir()
    entries: dict[str, RecipeEntry] = {}
    for folder in reversed(folders(recipes_dir)):
        for path in sorted(folder.glob("*.yaml")):
            entries[path.stem] = _entry(path, folder == builtin)
    return [entries[name] for name in sorted(entries)]


def _entry(path: Path, builtin: bool) -> RecipeEntry:
    from runner.recipe.read import yamlfile

    try:
        file = yamlfile.read(path)
    except RecipeError:
        return RecipeEntry(path.stem, path, "", builtin, publishes=path.stem)
    stated = file.data.get("name")
    name = stated if isinstance(stated, str) and NAME.fullmatch(stated) else path.stem
    return RecipeEntry(path.stem, path, str(file.data.get("description") or ""), builtin, _points(file), name)


def _points(file: YamlFile) -> int | None:
    """How many points a recipe's own `sweep` has; None where it has none, or one with mistakes."""
    from runner.recipe.points.grid import make_grid

    section = file.data.get("sweep")
    if not isinstance(section, dict) or not all(isinstance(values, list) for values in section.values()):
        return None
    if not all(isinstance(entry, dict) for part in ("exclude", "include") for entry in section.get(part, ())):
        return None
    grid = make_grid(section, file.origins, ())
    return None if grid.problems else len(grid.points)


def matching_recipes(names: Sequence[str], recipes_dir: Path | None = None) -> list[str]:
    """The names, each once, with patterns such as `dialogpt-*` replaced by the recipes that they match.

    Raises:
        RecipeError: a pattern matches no recipe.
    """
    found: dict[str, None] = {}
    problems = []
    for name in names:
        matched = [name]
        if any(mark in name for mark in "*?[") and "/" not in name:
            known = sorted({path.stem for folder in folders(recipes_dir) for path in folder.glob("*.yaml")})
            matched = fnmatch.filter(known, name)
            if not matched:
                problems.append(_problem(name, "no recipe matches", enumerate_names(known, more=ALL)))
        found |= dict.fromkeys(matched)
    if problems:
        raise RecipeError(problems)
    return list(found)
