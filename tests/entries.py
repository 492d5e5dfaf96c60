"""Entries of a store that cost nothing, and what collecting takes of them."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from runner.base import keys
from runner.store import Store
from runner.store.collect import Rules, collect, remove
from tests import cheap

DAY = 24 * 60 * 60
BLOCK = 4096


def document(number: int) -> dict[str, Any]:
    return {"stage": "convert", "number": number}


def put(store: Store, number: int, days: float = 0, blocks: int = 10) -> str:
    """An entry that was last used so many days ago."""
    key = keys.digest(document(number))
    with store.locked(key):
        folder = store.begin(key)
        (folder / "files" / "model.bin").write_bytes(os.urandom(blocks * BLOCK))
        store.publish(key, folder, cheap.record("convert", label=f"convert {number}"))
    used = time.time() - days * DAY
    os.utime(store.folder(key), (used, used))
    return key


def gone(store: Store, outputs: Path, **rules: Any) -> set[str]:
    """The keys of what is collected and removed."""
    removed: list[Any] = []
    collection = collect(store, outputs, Rules(**rules))
    remove(store, collection, removed.append)
    assert [item.path for item in removed] == [item.path for item in collection.items]
    return {item.key for item in removed if item.kind == "stage"}
