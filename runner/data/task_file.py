"""Task files of lm-evaluation-harness: read as plain data, with what they include, and refused where they aren't.

All that a task names lies in its folder or below. The library gets what was read here, never the file.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from runner.data.datafolder import of_files
from runner.data.opening import open_path
from runner.data.task_rules import SPLITS, Measures, Wrong, measures, mistakes
from runner.errors import Problem, RecipeError, SourceError
from runner.recipe.origins import KeyPath, Origins, dotted, nearest
from runner.recipe.read import yamlfile

if TYPE_CHECKING:
    from runner.data.records import Record
    from runner.recipe.types import Dataset

_SUFFIXES = (".json", ".jsonl", ".csv", ".tsv", ".parquet", ".txt")
_MOST_FILES = 20
"""Files that include one another."""


@dataclass(frozen=True)
class TaskFile:
    """A task.

    Attributes:
        config: all that it says, with what it includes.
        files: of it.
        data: split -> its data files.
    """

    config: Mapping[str, object]
    files: tuple[Path, ...]
    data: Mapping[str, tuple[Path, ...]]

    @property
    def measures(self) -> Measures:
        """The metrics and filters that it names."""
        return measures(self.config)


def read(dataset: Dataset) -> TaskFile:
    """The task of a dataset.

    Raises:
        RecipeError: with every place of what is no plain data, or asks for something that a task here can't have.
        SourceError: a file can't be read.
    """
    open_path(dataset, dataset.path).close()
    config, origins, files = _included(dataset.path)
    found = list(mistakes(config))
    data: dict[str, tuple[Path, ...]] = {}
    if not any(wrong.at[:1] == ("dataset_kwargs",) for wrong in found):
        data, more = _data_files(dataset.path, config)
        found += more or _splits(config, data)
    if found:
        raise RecipeError(_placed(wrong, origins) for wrong in sorted(found, key=lambda one: _order(one, origins)))
    for path in (one for paths in data.values() for one in paths):
        open_path(dataset, path).close()
    return TaskFile(config, tuple(files), data)


def check(dataset: Dataset) -> None:
    """Read the task and look for its files.

    Raises:
        RecipeError, SourceError: as `read`, or a file has nothing in it.
    """
    for path in dict.fromkeys(path for paths in read(dataset).data.values() for path in paths):
        with open_path(dataset, path) as file:
            if not file.read(1):
                message = f"dataset {dataset.name}: {path} is empty"
                raise SourceError(message)


def records(dataset: Dataset) -> Iterator[Record]:
    """The rows that a model is asked about, as far as ovrun's own formats read such files.

    Raises:
        RecipeError, SourceError: as `read`, or a row can't be read.
    """
    found = read(dataset)
    split = found.config.get("test_split") or found.config.get("validation_split")
    yield from of_files(dataset, found.data.get(str(split), ()))


def files(dataset: Dataset) -> list[Path]:
    """The task's files and those of its data."""
    found = read(dataset)
    return [*found.files, *(path for paths in found.data.values() for path in paths)]


def digest(dataset: Dataset, total: hashlib._Hash) -> None:
    """Feed what the task says and the content of its data files into a digest; their names don't count."""
    found = read(dataset)
    settings = {key: value for key, value in found.config.items() if key != "dataset_kwargs"}
    kept = {key: value for key, value in _kwargs(found.config).items() if key != "data_files"}
    total.update(json.dumps([settings, kept, dataset.limit], sort_keys=True).encode(errors="surrogatepass"))
    for split, paths in found.data.items():
        for path in paths:
            with open_path(dataset, path) as file:
                content = hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]
            total.update(json.dumps([split, content]).encode(errors="surrogatepass"))


def _kwargs(config: Mapping[str, object]) -> Mapping[str, object]:
    found = config.get("dataset_kwargs")
    return found if isinstance(found, Mapping) else {}


def _included(top: Path) -> tuple[dict[str, object], Origins, list[Path]]:
    """A file's values over those of the files that it includes, which come first, and all these files."""
    config: dict[str, object] = {}
    origins: Origins = {}
    files: list[Path] = []

    def take(path: Path, within: tuple[Path, ...]) -> None:
        found = _parsed(path)
        files.append(path)
        stated = found.data.pop("include", None)
        for number, name in enumerate(stated if isinstance(stated, list) else [] if stated is None else [stated]):
            at = ("include", number) if isinstance(stated, list) else ("include",)
            place = nearest(found.origins, at).where
            inner = _inside(top, path, name)
            if inner is None or inner in within or len(files) == _MOST_FILES:
                what = "includes a file that includes it" if inner in within else "is no path below the task's folder"
                what = f"more than {_MOST_FILES} files" if len(files) == _MOST_FILES else what
                raise RecipeError([Problem(place, "include", what, "a path of a YAML file beside it")])
            take(inner, (*within, inner))
        for key in found.data:
            for old in [one for one in origins if one[:1] == (key,)]:
                del origins[old]
        origins.update({path: origin for path, origin in found.origins.items() if path or path not in origins})
        config.update(found.data)

    take(top, (top.resolve(),))
    return config, origins, files


def _parsed(path: Path) -> yamlfile.YamlFile:
    """A file's values; what is said about it is said of a task file."""
    try:
        found = yamlfile.read(path)
        problems = [one.problem for one in found.problems]
    except RecipeError as error:
        problems = list(error.problems)
    if problems:
        raise RecipeError(_worded(one) for one in problems)
    return found


def _worded(problem: Problem) -> Problem:
    allowed = (problem.allowed or "").replace("a recipe", "a task file") or None
    if "the tag" in problem.what:
        allowed = "a task file is plain data; a metric of your own code is `metric: {path: …, function: …}` of a check"
    return replace(problem, allowed=allowed)


def _inside(top: Path, of: Path, name: object) -> Path | None:
    """A path that a file states, if it lies below the folder of the task."""
    if not isinstance(name, str) or not name or "\0" in name or "://" in name or "::" in name:
        return None
    found = (of.parent / name).resolve()
    return found if found.is_relative_to(top.parent.resolve()) else None


def _data_files(top: Path, config: Mapping[str, object]) -> tuple[dict[str, tuple[Path, ...]], list[Wrong]]:
    """Split -> its files, as the library datasets reads `data_files`; and what is wrong with them."""
    given = _kwargs(config)["data_files"]
    splits = given.items() if isinstance(given, dict) else [("train", given)]
    found: dict[str, tuple[Path, ...]] = {}
    wrong: list[Wrong] = []
    for split, named in splits:
        at: KeyPath = ("dataset_kwargs", "data_files", *([split] if isinstance(given, dict) else []))
        paths = [_inside(top, top, name) for name in (named if isinstance(named, list) else [named])]
        good = [path for path in paths if path is not None and path.suffix in _SUFFIXES]
        if not good or len(good) < len(paths):
            allowed = f"files in the task's folder or below that end in {', '.join(_SUFFIXES)}"
            wrong.append(Wrong(at, "names what is no such file", allowed))
        found[split] = tuple(good)
    return found, wrong


def _splits(config: Mapping[str, object], data: Mapping[str, object]) -> Iterator[Wrong]:
    """Splits that the task asks for, and that no file is of."""
    shots = config.get("fewshot_config")
    asked: dict[KeyPath, object] = {(key,): config.get(key) for key in SPLITS}
    asked["fewshot_config", "split"] = shots.get("split") if isinstance(shots, Mapping) else None
    for at, split in asked.items():
        if split is not None and (not isinstance(split, str) or split not in data):
            yield Wrong(at, f"no file is of the split {str(split)[:40]}", f"there are: {', '.join(data)}")


def _order(wrong: Wrong, origins: Origins) -> tuple[str, tuple[int, int, int]]:
    origin = nearest(origins, wrong.at)
    return origin.where.rsplit(":", 2)[0], origin.order


def _placed(wrong: Wrong, origins: Origins) -> Problem:
    origin = nearest(origins, wrong.at)
    where = origin.where if wrong.at in origins else origin.key_where
    return Problem(where, dotted(wrong.at), wrong.what, wrong.allowed)
