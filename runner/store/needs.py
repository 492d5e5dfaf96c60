"""What has to stay: the stages of published versions, of recipes' recent runs, and of runs that are under way."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import runner.base.files as fs
from runner.store import recent
from runner.store.store import Store


@dataclass
class Needs:
    """Who needs what.

    Attributes:
        keys: of entries that have to stay.
        recipes: key -> a recipe that had the stage in a run that is remembered.
        gone: memories of runs of recipes that are gone.
        unreadable: manifests that don't say what their version needs.
    """

    keys: set[str] = field(default_factory=set)
    recipes: dict[str, str] = field(default_factory=dict)
    gone: list[Path] = field(default_factory=list)
    unreadable: list[Path] = field(default_factory=list)


def needs_of(store: Store, outputs: Path, keep_last: int) -> Needs:
    """Look at manifests and memories; runs that are under way are asked for again before each removal."""
    needs = Needs()
    homes = set()
    for path in sorted(outputs.glob("*/[1-9]*/manifest.json")):
        homes.add(path.parents[1].name)
        keys = list(_keys_in(path))
        needs.keys.update(keys)
        needs.recipes |= dict.fromkeys(keys, path.parents[1].name)
        if not keys:
            needs.unreadable.append(path)
    for path in sorted(store.room("recent").glob("*.json")):
        content = fs.recall(path)
        runs = list(recent.runs_of(content))
        for key in (key for run in runs for key in run):
            needs.recipes.setdefault(key, path.stem)
        if path.stem not in homes and _is_gone(content.get("source")):
            needs.gone.append(path)
        else:
            needs.keys.update(key for run in runs[:keep_last] for key in run)
    return needs


def _keys_in(path: Path) -> Iterator[str]:
    """The keys in a manifest, even if other parts of it are damaged."""
    content: object = None
    with contextlib.suppress(OSError):
        content = fs.read_json(path)
    stages = content.get("stages") if isinstance(content, dict) else None
    for stage in stages if isinstance(stages, list) else []:
        if isinstance(stage, Mapping) and isinstance(stage.get("key"), str):
            yield stage["key"]


def _is_gone(source: object) -> bool:
    """Whether a memory says what it is of, and that is not there any more."""
    try:
        return isinstance(source, str) and fs.kind_of(Path(source)) is None
    except (OSError, ValueError):
        return False


def gone_sources(store: Store) -> list[Path]:
    """Remembered digests of files that are gone."""
    return [path for path in sorted(store.room("digests").glob("*.json")) if _is_gone(fs.recall(path).get("source"))]
