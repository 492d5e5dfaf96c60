"""The manifest of an artifact: all that is needed to say what it is and to make it again."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import runner.base.files as fs
from runner import __version__
from runner.artifact.noise import reader, with_noise
from runner.artifact.portable import Places
from runner.base import hardware
from runner.base.keys import version_of
from runner.metrics.gates import Judged
from runner.model.parts import part_of
from runner.plan.noise import documents_of
from runner.plan.types import Plan, Stage
from runner.store import Entry, Store

if TYPE_CHECKING:
    from runner.artifact.types import DatasetRecord, FileRecord, Manifest, ModelRecord, SizeRecord, StageRecord
    from runner.metrics.records import CheckRecord
    from runner.sources import Located

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
    places: Places,
) -> Manifest:
    """The content of manifest.json, as schemas/manifest.schema.json describes it, with the model's files only.

    Its own digest is still to come.
    """
    from runner.base.environment import environment  # reads what pip knows, which is for what is published alone

    recipe, located = plan.recipe, plan.located
    records = [_record(stage, store, entries, places) for stage in plan.stages]
    stages = [record for record in records if record]
    libraries = {library for stage in plan.stages for library in stage.document["versions"]}
    return {
        "manifest_version": 2,
        "ovrun": __version__,
        "name": recipe.name,
        "version": number,
        "description": recipe.description,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "identity": identity,
        "model": _model(located, places),
        "recipe": places.recipe_data(recipe.resolved, located.identity),
        "origins": places.origins(recipe.origins),
        "notes": places.said(recipe.notes),
        "seed": recipe.seed,
        "stages": stages,
        "datasets": _datasets(plan),
        "libraries": {name: version_of(name) for name in sorted({*_LIBRARIES, *libraries})},
        "environment": environment(libraries),
        "hardware": hardware.describe(),
        "size": sizes(plan, store, entries),
        "checks": places.said(check_records(plan, store, checks)),
        "files": dict(entries[plan.model].record["files"]),
    }


def _model(located: Located, places: Places) -> ModelRecord:
    paths = ("path", "adapter", "vocoder", "weights")
    said: Any = {key: places.path(value) if key in paths else value for key, value in located.identity.items()}
    model: ModelRecord = said | {"task": located.task}
    return model


def _record(stage: Stage, store: Store, entries: Mapping[str, Entry], places: Places) -> StageRecord | None:
    """A stage with its original cost; None if it never had to run, because what came after it was in the store."""
    entry = entries.get(stage.key) or store.find(stage.key)
    if entry is None:
        return None
    kept = entry.record
    said: StageRecord = {
        "stage": stage.name,
        "label": stage.label,
        "key": stage.key,
        "output": output_of(entry),
        "seconds": kept["seconds"],
        "import_seconds": kept["import_seconds"],
        "cpu_seconds": kept["cpu_seconds"],
        "peak_memory": kept["peak_memory"],
        "created": kept["created"],
        "hardware": kept["hardware"],
        "document": kept["document"],
    }
    if stage.name not in ("evaluate", "own_metric"):  # what evaluations found stands in `checks`
        said["result"] = places.said(entry.result)
    return said


def output_of(entry: Entry) -> str:
    """One digest over the names and bytes of all files that a stage made."""
    return fs.sha256_json({name: described["sha256"] for name, described in entry.record["files"].items()})


def _datasets(plan: Plan) -> dict[str, DatasetRecord]:
    digests: dict[str, DatasetRecord] = {}
    for stage in plan.stages:
        for role, dataset in stage.datasets.items():
            digest = stage.document["datasets"][role]
            name = str(dataset.id) if dataset.source == "huggingface" else dataset.path.name
            digests[dataset.name] = {"source": dataset.source, "file": name, "sha256": digest}
    return digests


def sizes(plan: Plan, store: Store, entries: Mapping[str, Entry]) -> SizeRecord:
    """Bytes of the optimized and of the converted model (IR and weights alone)."""
    optimized = _part_bytes(entries[plan.model])
    found = entries.get(plan.converted) or store.find(plan.converted)
    converted = _part_bytes(found) if found else None
    whole: SizeRecord = {
        "optimized": sum(optimized.values()),
        "converted": None if converted is None else sum(converted.values()),
    }
    if len(optimized) > 1:
        whole["parts"] = {
            part: {"optimized": size, "converted": converted.get(part) if converted else None}
            for part, size in sorted(optimized.items())
        }
    return whole


def _part_bytes(entry: Entry) -> dict[str, int]:
    """Part -> bytes of its IR and weights."""
    files: Mapping[str, FileRecord] = entry.record["files"]
    found: dict[str, int] = {}
    for name, described in files.items():
        if part := part_of(name):
            found[part] = found.get(part, 0) + described["size"]
    return found


def check_records(plan: Plan, store: Store, checks: Iterable[Judged]) -> list[CheckRecord]:
    """What a manifest says of checks, with the noise floors that the store has of them."""
    documents, read = documents_of(plan), reader(store)
    return [with_noise(check_record(judged), documents, read) for judged in checks]


def check_record(judged: Judged) -> CheckRecord:
    """What a manifest says of a check."""
    result = judged.result
    record: CheckRecord = {
        "metric": judged.check.metric,
        "dataset": judged.check.dataset,
        "passed": judged.passed,
        "gates": [
            {
                "gate": verdict.gate and verdict.gate.value,
                "limit": verdict.limit,
                "measured": _finite(verdict.measured),
                "passed": verdict.passed,
                "interval": list(verdict.interval) if verdict.interval else None,
                "undecided": verdict.undecided,
            }
            for verdict in judged.verdicts
        ],
        "value": _finite(judged.verdicts[0].value),
        "reference_value": judged.verdicts[0].reference_value,
        "values": result["values"],
        "reference_values": result.get("reference_values", {}),
        "protocol": result.get("protocol", {}),
        "details": result.get("details", {}),
        "decide": judged.check.decide,
        "rows": result.get("rows"),
        "seed": result.get("seed"),
        "intervals": result.get("intervals", {}),
        "reference_intervals": result.get("reference_intervals", {}),
        "differences": result.get("differences", {}),
        "relative_differences": result.get("relative_differences", {}),
        "methods": result.get("methods", {}),
        "flipped": result.get("flipped"),
    }
    if judged.check.own:
        record["better"] = judged.check.own.better.value
    if judged.key:
        record["key"] = judged.key
    return record


def _finite(number: float) -> float | None:
    """JSON has no NaN; None says that there was no number."""
    return number if math.isfinite(number) else None
