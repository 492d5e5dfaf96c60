"""What real runs leave in an outputs folder: manifests, entries of the store, logs."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from runner.store import Store


def manifest_of(version: Path) -> dict[str, Any]:
    """A version's manifest."""
    found: dict[str, Any] = json.loads((version / "manifest.json").read_text())
    return found


def stage_result(version: Path, name: str) -> dict[str, Any]:
    """What a stage of a published version told."""
    (found,) = [stage["result"] for stage in manifest_of(version)["stages"] if stage["stage"] == name]
    return dict(found)


def model_digests(version: Path) -> dict[str, str]:
    """File -> digest, but for the model card, which tells of the time."""
    return {name: row["sha256"] for name, row in manifest_of(version)["files"].items() if name != "README.md"}


def stored(outputs: Path, stage: str) -> list[Path]:
    """The folders of a stage's entries in the store."""
    entries = (outputs / ".store" / "entries").glob("*/*/entry.json")
    return [path.parent / "files" for path in entries if json.loads(path.read_text())["stage"] == stage]


def every_entry_is_whole(outputs: Path) -> None:
    """Nothing that the store shows is damaged."""
    store = Store(outputs / ".store")
    for entry in (store.root / "entries").glob("*/*"):
        assert not store.damaged(entry.name), entry


def nothing_half_made(outputs: Path) -> None:
    """Every visible entry is whole, and no version is there."""
    every_entry_is_whole(outputs)
    assert not list(outputs.glob("*/[0-9]*"))


def stage_begun(outputs: Path, stage: str) -> Callable[[], bool]:
    """Whether the newest log tells that a stage has begun."""

    def look() -> bool:
        logs = sorted((outputs / ".logs").rglob("*.log"), key=lambda path: path.stat().st_mtime)
        return bool(logs) and f"--- {stage} " in logs[-1].read_text(errors="replace")

    return look
