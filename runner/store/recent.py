"""What a recipe's last runs were made of: `recent/<recipe>.json`. Only a memory: without it nothing is wrong.

`last` holds label -> key document of the last run, `earlier` the keys of those before it that differed, newest first,
`source` the recipe's file. The file's own time is that of the last run.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import runner.base.files as fs
from runner.base import keys

_KEPT = 50
"""Earlier runs that are remembered."""


def last_of(content: Mapping[str, object]) -> dict[str, object]:
    """Label -> key document of the last run; empty where that can't be had."""
    last = content.get("last")
    return last if isinstance(last, dict) and all(isinstance(one, dict) for one in last.values()) else {}


def remember(path: Path, documents: Mapping[str, object], source: Path | None) -> None:
    """Write what a run was made of, if it is not there yet."""
    old = fs.recall(path)
    last, runs = last_of(old), _earlier(old)
    with contextlib.suppress(OSError, ValueError):
        if last == documents:
            os.utime(path)
            return
        if last:
            runs.insert(0, {"until": round(time.time()), "keys": keys_of(last)})
        place = str(source.absolute()) if source else None
        fs.write_json(path, {"source": place, "last": documents, "earlier": runs[:_KEPT]})


def runs_of(content: Mapping[str, object]) -> Iterator[list[str]]:
    """The keys of the runs that are remembered, newest first."""
    if last := last_of(content):
        yield keys_of(last)
    yield from (run["keys"] for run in _earlier(content))


def keys_of(documents: Mapping[str, Any]) -> list[str]:
    """The keys that key documents stand for."""
    return [keys.digest(document) for document in documents.values()]


def _earlier(content: Mapping[str, Any]) -> list[dict[str, Any]]:
    runs = content.get("earlier")
    return (
        [run for run in runs if isinstance(run, dict) and _are_keys(run.get("keys"))] if isinstance(runs, list) else []
    )


def _are_keys(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(key, str) for key in value)
