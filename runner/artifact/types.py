"""The manifest of a version and the record of a sweep, as schemas/manifest.schema.json describes them.

Reading holds the data against the schema once, in `shape`; from there on these types say what is in it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NotRequired, TypedDict

from runner.base.hardware import Hardware
from runner.metrics.records import CheckRecord


class FileRecord(TypedDict):
    """A file that was published: its digest, and its bytes."""

    sha256: str
    size: int


class ModelRecord(TypedDict):
    """The source's model, whose commit or digest is the one that was used."""

    source: str
    task: str | None
    id: NotRequired[str]
    revision: NotRequired[str]
    requested_revision: NotRequired[str]
    path: NotRequired[str]
    sha256: NotRequired[str]
    adapter: NotRequired[str]
    adapter_sha256: NotRequired[str]
    adapter_revision: NotRequired[str]
    adapter_requested_revision: NotRequired[str]
    vocoder: NotRequired[str]
    vocoder_sha256: NotRequired[str]
    vocoder_revision: NotRequired[str]
    vocoder_requested_revision: NotRequired[str]
    weights: NotRequired[str]
    weights_sha256: NotRequired[str]


class SweepRecord(TypedDict):
    """Of which sweep a version is a point, and what was set there."""

    name: str
    settings: Mapping[str, object]


class DatasetRecord(TypedDict):
    """A dataset that was read."""

    source: str
    sha256: str
    file: NotRequired[str]


class PartSize(TypedDict):
    """Bytes of an optimized and of a converted model, or of a part; None if that is not in the store any more."""

    optimized: int
    converted: int | None


class SizeRecord(PartSize):
    """Of a model, and of each of its parts where it has several."""

    parts: NotRequired[dict[str, PartSize]]


class StageResult(TypedDict):
    """What a stage told of its work: notes, and more of its own."""

    notes: NotRequired[list[str]]


class StageRecord(TypedDict):
    """A stage with its original cost; seconds, and bytes of memory."""

    stage: str
    label: str
    key: str
    seconds: float
    import_seconds: float
    cpu_seconds: float
    peak_memory: int
    created: str
    hardware: Hardware
    document: Mapping[str, object]
    output: NotRequired[str]
    result: NotRequired[StageResult]


class Manifest(TypedDict):
    """All that is needed to say what a version is and to make it again."""

    manifest_version: int
    ovrun: str
    name: str
    version: int | None
    description: str
    created: str
    identity: str
    model: ModelRecord
    recipe: dict[str, Any]
    origins: dict[str, str]
    notes: list[str]
    seed: int
    stages: list[StageRecord]
    datasets: dict[str, DatasetRecord]
    libraries: dict[str, str]
    hardware: Hardware
    size: SizeRecord
    checks: list[CheckRecord]
    files: dict[str, FileRecord]
    sweep: NotRequired[SweepRecord]
    environment: NotRequired[dict[str, str]]
    digest: NotRequired[str]


class Cost(TypedDict):
    """What a sweep's point measured and cost: seconds, and bytes."""

    size: int
    converted_size: int | None
    seconds: float
    peak_memory: int
    checks: list[CheckRecord]


class PointRecord(TypedDict):
    """What became of a sweep's point."""

    name: str
    settings: Mapping[str, object]
    status: str
    path: str | None
    reason: NotRequired[str | None]
    version: NotRequired[int | None]
    size: NotRequired[int | None]
    converted_size: NotRequired[int | None]
    seconds: NotRequired[float | None]
    peak_memory: NotRequired[int | None]
    checks: NotRequired[list[CheckRecord] | None]


class SweepRun(TypedDict):
    """The record of a sweep's last run."""

    sweep_version: int
    name: str
    points: list[PointRecord]
