"""Artifacts: `outputs/<recipe>/<N>`, immutable and numbered, each with its manifest, recipe and model card.

N is a plain positive integer, which is how OpenVINO Model Server reads a model repository. A model that misses a gate
goes to `outputs/<recipe>/rejected/<id>` and is never a version.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import runner.files as fs
from runner import __version__, keys
from runner.judge import Judged
from runner.manifest import build_manifest
from runner.model_card import write_card
from runner.plan import Plan
from runner.recipe import dump_recipe
from runner.store import Entry, Store

MANIFEST = "manifest.json"


@dataclass(frozen=True)
class Placed:
    """Where an artifact is: `status` is `published`, `up to date` or `rejected`; only versions have a number."""

    status: str
    path: Path
    version: int | None


def identity_of(plan: Plan) -> str:
    """What makes two runs the same artifact: the same model, the same measurements, the same gates."""
    gates = [
        [m.check.metric, m.check.dataset, m.check.max, m.check.min, m.check.max_drop, m.check.max_relative_increase]
        for m in plan.measurements
    ]
    gates = sorted(keys.canonical(gates), key=str)
    return keys.digest({"ovrun": __version__.split(".")[0], "targets": sorted(plan.targets), "gates": gates})


def versions(folder: Path) -> Iterator[tuple[int, Path]]:
    """The published versions below `outputs/<recipe>`, in order."""
    if not folder.is_dir():
        return
    numbers = sorted(int(p.name) for p in folder.iterdir() if p.name.isdecimal() and p.name[0] != "0" and p.is_dir())
    for number in numbers:
        yield number, folder / str(number)


def place(
    plan: Plan,
    store: Store,
    entries: Mapping[str, Entry],
    checks: Sequence[Judged],
    outputs: Path,
    sweep: Mapping[str, Any] | None = None,
) -> Placed:
    """Publish a version, say which one it already is, or put a model that missed a gate aside.

    `sweep` is what the manifest of a sweep's point says of that.

    Raises:
        OSError: outputs can't be written; earlier versions are untouched.
    """
    identity = identity_of(plan)
    home = outputs / plan.recipe.name
    passed = all(judged.passed for judged in checks)
    model = entries[plan.model]
    existing = _existing(home, identity, passed, model)
    if existing is not None:
        return existing
    with store.locked(f"publish-{plan.recipe.name}"):
        existing = _existing(home, identity, passed, model)
        if existing is not None:
            return existing
        if not passed:
            target = home / "rejected" / identity[:12]
            _assemble(target, None, identity, plan, store, entries, checks, sweep)
            return Placed("rejected", target, None)
        number = max((n for n, _ in versions(home)), default=0) + 1
        _assemble(home / str(number), number, identity, plan, store, entries, checks, sweep)
        _point_latest(home, number)
        return Placed("published", home / str(number), number)


def _existing(home: Path, identity: str, passed: bool, model: Entry) -> Placed | None:
    if not passed:
        aside = home / "rejected" / identity[:12]
        return Placed("rejected", aside, None) if (aside / MANIFEST).is_file() else None
    for number, path in versions(home):
        manifest = fs.read_json(path / MANIFEST)
        if manifest and manifest.get("identity") == identity and _intact(path, manifest, model):
            return Placed("up to date", path, number)
    return None


def _intact(path: Path, manifest: Mapping[str, Any], model: Entry) -> bool:
    """Whether a version still holds what was published; a changed one does not count as made.

    A file that is the verified store entry's own, by a hard link, need not be read again.
    """
    for name, expected in manifest["files"].items():
        file, stored = path / name, model.files / name
        if not file.is_file():
            return False
        if stored.is_file() and file.samefile(stored):
            continue
        if fs.sha256_file(file) != expected["sha256"]:
            return False
    return True


def _assemble(
    target: Path,
    number: int | None,
    identity: str,
    plan: Plan,
    store: Store,
    entries: Mapping[str, Entry],
    checks: Sequence[Judged],
    sweep: Mapping[str, Any] | None,
) -> None:
    """Make the whole folder under a hidden name, then rename it into view."""
    _remove_stale(target)
    folder = target.parent / f".new-{target.name}-{secrets.token_hex(4)}"
    folder.mkdir(parents=True)
    try:
        model = entries[plan.model]
        fs.link_tree(model.files, folder)
        store.refresh(model)
        (folder / "recipe.yaml").write_text(dump_recipe(plan.recipe), encoding="utf-8")
        manifest = build_manifest(plan, store, entries, checks, identity, number)
        if sweep is not None:
            manifest["sweep"] = dict(sweep)
        write_card(folder / "README.md", manifest)
        manifest["files"] |= {name: _described(folder / name) for name in ("README.md", "recipe.yaml")}
        fs.write_json(folder / MANIFEST, manifest)
        for path in fs.walk(folder):
            path.chmod(0o444)
        folder.rename(target)
    except BaseException:
        fs.remove_tree(folder)
        raise


def _remove_stale(target: Path) -> None:
    """Remove what a killed run left of the same version; the caller holds the recipe's lock."""
    if target.parent.is_dir():
        for stale in target.parent.glob(".new-*"):
            fs.remove_tree(stale)
    if not target.name.isdecimal():
        fs.remove_tree(target)


def _described(path: Path) -> dict[str, Any]:
    return {"sha256": fs.sha256_file(path), "size": path.stat().st_size}


def _point_latest(home: Path, number: int) -> None:
    link = home / f".latest-{secrets.token_hex(4)}"
    link.symlink_to(str(number))
    os.replace(link, home / "latest")  # noqa: PTH105
