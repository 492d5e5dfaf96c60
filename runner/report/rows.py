"""The rows of a report: each version, each model that missed a gate, and each point of the last run of a sweep."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import runner.base.files as fs
from runner.artifact import record, shape
from runner.artifact.named import homes
from runner.artifact.noise import Read, looked_up, reader
from runner.artifact.status import Status
from runner.artifact.versions import REJECTED, load_manifest
from runner.base.words import near
from runner.errors import Problem, SourceError, UsageError
from runner.metrics.gates import missed_gates, undecided_gates
from runner.store import store_of

if TYPE_CHECKING:
    from runner.artifact.types import Manifest, PointRecord, StageRecord, SweepRun
    from runner.metrics.records import CheckRecord, Details

_MANIFEST = "manifest.json"
_RECORD_LIMIT = 64 << 20
_DETAILS = (
    *("ovrun", "description", "identity", "model", "recipe", "notes", "seed", "datasets", "libraries", "hardware"),
    "files",
)
_STAGE = ("stage", "label", "key", "seconds", "cpu_seconds", "peak_memory", "created")


@dataclass(frozen=True)
class Row:
    """One version, one model kept aside, or one point of a sweep that made neither.

    Attributes:
        place: its folder, relative to outputs; None if it has none.
        status: `published`, `rejected`, `undecided`, `failed`, `not selected`, `not run`, or `gone` for a folder that
            was deleted.
        settings: the swept keys of a sweep's point.
        size: bytes of the optimized model (IR alone); `converted_size` the same before optimization.
        seconds: what all its stages took when they ran; `peak_memory` the bytes of the largest.
        checks: as in manifest.json, without the examples of mismatches.
        details: the rest of the manifest that a reader wants to see; empty without one.
    """

    name: str
    version: int | None
    place: str | None
    status: str
    reason: str | None = None
    sweep: str | None = None
    settings: Mapping[str, object] = field(default_factory=dict)
    size: int | None = None
    converted_size: int | None = None
    seconds: float | None = None
    peak_memory: int | None = None
    created: str | None = None
    checks: Sequence[CheckRecord] = ()
    details: Mapping[str, Any] = field(default_factory=dict)

    @property
    def ident(self) -> str:
        """What names this row alone: `name/N`, `name/rejected/id`, or the name of a point that made nothing."""
        return self.place or self.name

    @property
    def size_ratio(self) -> float | None:
        """Size over the converted model's."""
        return self.size / self.converted_size if self.size and self.converted_size else None


@dataclass(frozen=True)
class Found:
    """All rows of an outputs folder, and what could not be read there, a sentence each."""

    rows: tuple[Row, ...]
    notes: tuple[str, ...]


def collect(outputs: Path) -> Found:
    """Read every manifest and every sweep's record below `outputs`: sweeps first, in the order of their points."""
    notes: list[str] = []
    versions = {row.ident: row for row in _versions(outputs, notes)}
    rows: dict[str, Row] = {}
    for told in _records(outputs, notes):
        for point in told["points"]:
            row = _point(told["name"], point, versions)
            rows.setdefault(row.ident, row)
    rest = sorted((row for row in versions.values() if row.ident not in rows), key=_order)
    return Found((*rows.values(), *rest), tuple(notes))


def _order(row: Row) -> tuple[str, str, bool, int, str]:
    return row.sweep or "", row.name, row.version is None, row.version or 0, row.ident


def _versions(outputs: Path, notes: list[str]) -> Iterable[Row]:
    read = reader(store_of(outputs))
    for home in homes(outputs):
        kept = record.load(home)
        for number, folder in record.folders(home, kept).items():
            yield from _read(folder, f"{home.name}/{number}", kept.of(number), read, notes)
        for folder in sorted(home.glob(f"{REJECTED}/[!.]*")):
            if (folder / _MANIFEST).exists():
                yield from _read(folder, folder.relative_to(outputs).as_posix(), record.Version(), read, notes)


def _read(folder: Path, place: str, known: record.Version, read: Read, notes: list[str]) -> Iterable[Row]:
    try:
        yield version_row(folder, place, known, read)
    except SourceError as error:
        notes.append(f"{error.message}; it is left out")


def version_row(folder: Path, place: str, known: record.Version, read: Read) -> Row:
    """The row of a version's folder, which says if its files are not as they were published.

    `read` is asked for the noise floors that were measured since.

    Raises:
        SourceError: its manifest can't be read.
    """
    manifest = load_manifest(folder)
    row = row_of({**manifest, "checks": looked_up(manifest, read)}, place)
    state = record.state(folder, known, manifest)
    return replace(row, reason="; ".join(filter(None, [row.reason, state]))) if state else row


def row_of(manifest: Manifest, place: str) -> Row:
    """The row of a version's manifest."""
    stages, whole = manifest["stages"], _plain(manifest)
    sweep = manifest.get("sweep", {})
    checks = [_slim(check) for check in manifest["checks"]]
    aside = manifest["version"] is None
    missed = missed_gates(checks)
    undecided = undecided_gates(checks)
    kept_back = Status.UNDECIDED if undecided and not missed else Status.REJECTED
    return Row(
        name=manifest["name"],
        version=manifest["version"],
        place=place,
        status=kept_back if aside else Status.PUBLISHED,
        reason=(missed or undecided) if aside else None,
        sweep=sweep.get("name"),
        settings=sweep.get("settings", {}),
        size=manifest["size"]["optimized"],
        converted_size=manifest["size"]["converted"],
        seconds=sum(stage["seconds"] for stage in stages),
        peak_memory=max((stage["peak_memory"] for stage in stages), default=None),
        created=manifest["created"],
        checks=checks,
        details={name: whole[name] for name in _DETAILS} | {"stages": [_stage(stage) for stage in stages]},
    )


def _plain(record: Mapping[str, object]) -> Mapping[str, object]:
    """A record to take keys of by their names."""
    return record


def _stage(stage: StageRecord) -> dict[str, object]:
    said = _plain(stage)
    return {name: said[name] for name in _STAGE} | {"notes": list(stage.get("result", {}).get("notes", ()))}


def _slim(check: CheckRecord) -> CheckRecord:
    kept: Details = {"standard_errors": check["details"].get("standard_errors", {})}
    if "confusion" in check["details"]:
        kept["confusion"] = check["details"]["confusion"]
    return {**check, "gates": list(check["gates"]), "details": kept}


def _records(outputs: Path, notes: list[str]) -> Iterable[SweepRun]:
    for path in sorted(outputs.glob(".sweeps/*.json")):
        try:
            yield shape.parse(fs.read_limited(path, _RECORD_LIMIT), "manifest", "sweep_record")
        except shape.ShapeError as error:
            notes.append(f"{path} is not a sweep's record that this version of ovrun reads: {error}; it is left out")
        except OSError as error:
            notes.append(f"{path} can't be read: {error.strerror}; it is left out")


def _point(sweep: str, point: PointRecord, versions: Mapping[str, Row]) -> Row:
    """The row of a sweep's point; from the manifest of the version that it made, where that is still there."""
    place = PurePosixPath(point["path"]).as_posix() if point["path"] else None
    status = Status.PUBLISHED if point["status"] == Status.UP_TO_DATE else str(point["status"])
    made = versions.get(place) if place else None
    if made is not None:
        reason = point.get("reason") or made.reason
        return replace(made, sweep=sweep, settings=dict(point["settings"]), status=status, reason=reason)
    gone = place is not None
    return Row(
        name=str(point["name"]),
        version=point.get("version"),
        place=place,
        status="gone" if gone else status,
        reason="its folder is not there any more" if gone else point.get("reason"),
        sweep=sweep,
        settings=dict(point["settings"]),
        size=point.get("size"),
        converted_size=point.get("converted_size"),
        seconds=point.get("seconds"),
        peak_memory=point.get("peak_memory"),
        checks=[_slim(check) for check in point.get("checks") or ()],
    )


def choose(rows: Sequence[Row], words: Sequence[str], outputs: Path) -> list[Row]:
    """The rows that the words name: a recipe, a sweep, a point, `name/N`, or a pattern with * and ?.

    Raises:
        UsageError: some words name nothing; all of them are told.
    """
    wrong = [_unknown(word, rows, outputs) for word in words if not any(_names(word, row) for row in rows)]
    if wrong:
        raise UsageError(wrong, hint="`ovrun report` without a name shows all there is.")
    return [row for row in rows if not words or any(_names(word, row) for word in words)]


def _names(word: str, row: Row) -> bool:
    word = word.strip("/")
    return any(text is not None and fnmatchcase(text, word) for text in (row.name, row.sweep, row.ident))


def _unknown(word: str, rows: Sequence[Row], outputs: Path) -> Problem:
    known = {text for row in rows for text in (row.name, row.sweep, row.ident) if text}
    return Problem("command line", "", f"{outputs}/ holds nothing named {word}", None, near(word, known))


def flat(value: object, prefix: str = "") -> dict[str, object]:
    """Nested mappings and lists as dotted keys; empty ones stay as they are."""
    items: Iterable[tuple[object, object]]
    if isinstance(value, Mapping) and value:
        items = value.items()
    elif isinstance(value, list) and any(isinstance(item, Mapping | list) for item in value):
        items = enumerate(value)
    else:
        return {prefix: value}
    found: dict[str, object] = {}
    for key, item in items:
        found |= flat(item, f"{prefix}.{key}" if prefix else str(key))
    return found


def setting_text(value: object) -> str:
    """A setting's value as a recipe would say it; empty for none."""
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
