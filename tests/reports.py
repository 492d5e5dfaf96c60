"""Outputs folders for tests of reports: manifests and a sweep's record as runs write them, without running anything."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

GRID: Mapping[str, Sequence[Any]] = {
    "compression.mode": ("int4_sym", "int4_asym"),
    "compression.ratio": (0.6, 0.8, 1.0),
    "compression.group_size": (32, 64),
}
HARDWARE = {"cpu": "A CPU", "cpu_flags": ["avx2"], "cores": 2, "memory": 8 << 30, "system": "Linux", "python": "3.11.7"}
CONVERTED = 8_000_000


def sha(text: str) -> str:
    """Some digest."""
    return hashlib.sha256(text.encode()).hexdigest()


def check(
    metric: str, value: float | None, gate: str, limit: float, passed: bool = True, **more: Any
) -> dict[str, Any]:
    """A check as a manifest has it, with one gate."""
    return {
        "metric": metric,
        "dataset": "dialogue_eval",
        "passed": passed,
        "gates": [{"gate": gate, "limit": limit, "measured": value, "passed": passed}],
        "value": value,
        "reference_value": None,
        "values": {metric: value, "same_top_token": 1 - 10 * (value or 0)},
        "reference_values": {},
        "protocol": {"context_length": 256, "text_sha256": sha("text")},
        "details": {"standard_errors": {metric: 4e-05}, "mismatches": [{"prompt": "?", "expected": "a", "got": "b"}]},
    } | more


def stage(label: str, seconds: float, memory: int) -> dict[str, Any]:
    """A stage as a manifest has it."""
    numbers = {"seconds": seconds, "import_seconds": 0.2, "cpu_seconds": seconds * 1.1, "peak_memory": memory}
    texts = {"stage": label.split()[0], "label": label, "key": sha(label), "created": "2026-11-21T02:59:14+00:00"}
    return {
        **texts,
        **numbers,
        "hardware": HARDWARE,
        "document": {"stage": label},
        "result": {"notes": [f"a note on {label}"]},
    }


def manifest(
    name: str, number: int | None = 1, *, size: int = 3_000_000, kld: float = 0.001, **more: Any
) -> dict[str, Any]:
    """A whole manifest; `more` replaces parts of it."""
    compression = {"algorithm": "weight_compression", "mode": "int4_sym", "ratio": 0.8, "group_size": 128}
    files = {"openvino_model.bin": size - 1000, "openvino_model.xml": 1000, "recipe.yaml": 900, "README.md": 2000}
    missed = number is None
    return {
        "manifest_version": 1,
        "ovrun": "0.1.0",
        "name": name,
        "version": number,
        "description": "A model of a test",
        "created": "2026-11-21T02:59:14+00:00",
        "identity": sha(name),
        "model": {
            "source": "embedded",
            "id": "dialogpt-mini",
            "sha256": sha("model"),
            "task": "text-generation-with-past",
        },
        "recipe": {"name": name, "description": "A model of a test", "compression": compression, "seed": 0},
        "origins": {},
        "notes": [],
        "seed": 0,
        "stages": [
            stage("convert to fp16", 5.0, 386_000_000),
            stage(f"compress {name}", 1.5, 170_000_000),
            stage(f"evaluate divergence {name}", 1.3, 162_000_000),
        ],
        "datasets": {"dialogue_eval": {"source": "embedded", "sha256": sha("data")}},
        "libraries": {"openvino": "2026.4.1", "nncf": "3.4.0"},
        "hardware": HARDWARE,
        "size": {"optimized": size, "converted": CONVERTED},
        "checks": [check("kl_divergence", kld, "max", 0.0001 if missed else 0.01, not missed)],
        "files": {file: {"sha256": sha(f"{name} {file}"), "size": length} for file, length in files.items()},
    } | more


def write(outputs: Path, document: Mapping[str, Any]) -> str:
    """Put a manifest where a run would, and give the folder's path relative to `outputs`."""
    number = document["version"]
    place = f"{document['name']}/{number}" if number else f"{document['name']}/rejected/{document['identity'][:12]}"
    (outputs / place).mkdir(parents=True)
    (outputs / place / "manifest.json").write_text(json.dumps(document), encoding="utf-8")
    for name, described in document["files"].items():
        with (outputs / place / name).open("wb") as file:
            file.truncate(described["size"])
    return place


def point(
    name: str, settings: Mapping[str, Any], status: str, reason: str | None = None, **more: Any
) -> dict[str, Any]:
    """A point of a sweep's record."""
    empty = dict.fromkeys(("path", "version", "size", "converted_size", "seconds", "peak_memory"))
    return {"name": name, "settings": dict(settings), "status": status, "reason": reason, **empty, "checks": []} | more


def sweep(outputs: Path, name: str, grid: Mapping[str, Sequence[Any]] = GRID, extra: Sequence[Any] = ()) -> list[str]:
    """A finished sweep: a version for each point of the grid, and its record; `extra` points come last.

    Sizes fall and divergences grow with the number of the point; each second of three points is off the front.
    """
    points = []
    grid_points = list(itertools.product(*grid.values())) if grid else []
    for number, values in enumerate(grid_points):
        share = number / len(grid_points)
        settings = dict(zip(grid, values, strict=True))
        own = name + "".join(f"--{key.rpartition('.')[2]}-{value}" for key, value in settings.items())
        size, kld = round(3_200_000 * (1 - share / 2)), 0.0005 + 0.002 * share + 0.002 * (number % 3 == 1)
        compression = {"algorithm": "weight_compression"} | {key.partition(".")[2]: settings[key] for key in settings}
        document = manifest(own, size=size, kld=kld, sweep={"name": name, "settings": settings})
        document["recipe"]["compression"] = compression
        points.append(point(own, settings, "published", path=write(outputs, document), version=1))
    record = {"sweep_version": 1, "name": name, "created": "2026-11-21T03:00:00+00:00", "seconds": 60.0}
    whole = {**record, "keys": list(grid), "select": None, "ran": 31, "points": [*points, *extra]}
    (outputs / ".sweeps").mkdir(exist_ok=True)
    (outputs / ".sweeps" / f"{name}.json").write_text(json.dumps(whole), encoding="utf-8")
    return [one["name"] for one in points]
