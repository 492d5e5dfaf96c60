"""The manifest of an artifact: all that is needed to say what it is and to make it again."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import runner.files as fs
from runner import __version__, hardware
from runner.judge import Judged
from runner.keys import version_of
from runner.plan import Plan, Stage
from runner.store import Entry, Store

_LIBRARIES = (
    *("hydra-core", "jsonschema", "nncf", "numpy", "openvino", "openvino-genai", "openvino-tokenizers"),
    *("optimum", "optimum-intel", "tokenizers", "torch", "transformers"),
)


def build_manifest(
    plan: Plan,
    store: Store,
    entries: Mapping[str, Entry],
    checks: Sequence[Judged],
    identity: str,
    number: int | None,
) -> dict[str, Any]:
    """The content of manifest.json, as schemas/manifest.schema.json describes it, with the model's files only."""
    recipe = plan.recipe
    records = {stage.key: _record(stage, store, entries) for stage in plan.stages}
    return {
        "manifest_version": 1,
        "ovrun": __version__,
        "name": recipe.name,
        "version": number,
        "description": recipe.description,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "identity": identity,
        "model": dict(plan.located.identity) | {"task": plan.located.task},
        "recipe": dict(recipe.resolved),
        "origins": dict(recipe.origins),
        "notes": list(recipe.notes),
        "seed": recipe.seed,
        "stages": [record for record in records.values() if record],
        "datasets": _datasets(plan),
        "libraries": {name: version_of(name) for name in _LIBRARIES},
        "hardware": hardware.describe(),
        "size": sizes(plan, store, entries),
        "checks": [check_record(judged) for judged in checks],
        "files": dict(entries[plan.model].record["files"]),
    }


def _record(stage: Stage, store: Store, entries: Mapping[str, Entry]) -> dict[str, Any] | None:
    """A stage with its original cost; None if it never had to run, because what came after it was in the store."""
    entry = entries.get(stage.key) or store.find(stage.key)
    if entry is None:
        return None
    kept = ["seconds", "import_seconds", "cpu_seconds", "peak_memory", "created", "hardware", "document"]
    if stage.name != "evaluate":  # what evaluations found stands in `checks`
        kept.append("result")
    return {"stage": stage.name, "label": stage.label, "key": stage.key} | {name: entry.record[name] for name in kept}


def _datasets(plan: Plan) -> dict[str, Any]:
    digests: dict[str, Any] = {}
    for stage in plan.stages:
        for role, dataset in stage.datasets.items():
            digests[dataset.name] = {"source": dataset.source, "sha256": stage.document["datasets"][role]}
    return digests


def sizes(plan: Plan, store: Store, entries: Mapping[str, Entry]) -> dict[str, Any]:
    """Bytes of the optimized and of the converted model (IR and weights alone)."""
    optimized = _model_bytes(entries[plan.model])
    converted = entries.get(plan.converted) or store.find(plan.converted)
    return {"optimized": optimized, "converted": _model_bytes(converted) if converted else None}


def _model_bytes(entry: Entry) -> int:
    files: Mapping[str, Any] = entry.record["files"]
    ours = (name for name in files if name.startswith("openvino_") and "tokenizer" not in name)
    return sum(files[name]["size"] for name in ours if name.endswith((".xml", ".bin")))


def check_record(judged: Judged) -> dict[str, Any]:
    """What a manifest says of a check."""
    result = judged.result
    return {
        "metric": judged.check.metric,
        "dataset": judged.check.dataset,
        "passed": judged.passed,
        "gates": [
            {
                "gate": verdict.gate,
                "limit": verdict.limit,
                "measured": _finite(verdict.measured),
                "passed": verdict.passed,
            }
            for verdict in judged.verdicts
        ],
        "value": _finite(judged.verdicts[0].value),
        "reference_value": judged.verdicts[0].reference_value,
        "values": result["values"],
        "reference_values": result.get("reference_values", {}),
        "protocol": result.get("protocol", {}),
        "details": result.get("details", {}),
    }


def _finite(number: float) -> float | None:
    """JSON has no NaN; None says that there was no number."""
    return number if math.isfinite(number) else None


def read_manifest(path: Any) -> dict[str, Any] | None:
    """The manifest in a version's folder, or None."""
    manifest = fs.read_json(path / "manifest.json")
    return manifest if isinstance(manifest, dict) else None
