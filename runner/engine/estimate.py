"""What a stage will need: bytes of memory and seconds, from earlier runs of its like, else from the size of its model.

Alike are stages of one name that descend from the same source with the same kind of parameters, that is, the same but
for their numbers: int4 with another ratio is alike, int4 with another method is not.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import runner.base.files as fs
from runner.plan.types import Stage
from runner.store import Entry, Store

_MARGIN = 1.1
"""A stage of the same like is given this much more than the most that one has taken."""


@dataclass(frozen=True)
class Estimate:
    """Expected cost of a stage: peak memory in bytes, seconds of wall time; `known` if its like has run before."""

    memory: int
    seconds: float
    known: bool


@dataclass(frozen=True)
class _Rule:
    """For a stage whose like never ran: bytes and seconds at no size, and by each byte of the source's weights."""

    memory: int
    memory_factor: float
    seconds: float
    seconds_factor: float


_MB = 1 << 20
_RULES: Mapping[str, _Rule] = {
    "fetch": _Rule(100 * _MB, 0.0, 1.0, 1e-8),
    "convert": _Rule(400 * _MB, 1.5, 3.0, 1e-8),
    "statistics": _Rule(200 * _MB, 2.0, 1.0, 1e-8),
    "compress": _Rule(200 * _MB, 5.0, 1.0, 2e-8),
    "quantize": _Rule(200 * _MB, 5.0, 2.0, 2e-8),
    "assemble": _Rule(50 * _MB, 0.0, 0.1, 0.0),
    "verify": _Rule(150 * _MB, 1.0, 0.5, 3e-9),
    "reference": _Rule(150 * _MB, 3.0, 1.0, 1e-8),
    "evaluate": _Rule(200 * _MB, 2.0, 1.0, 1e-8),
}
"""Measured on models of 3.5 and 124 M parameters, the factors rounded up. Peaks: converted from 7 MB of fp16 and 475 MB
of fp32 weights 361 and 1011 MB; compressed from 7 and 243 MB 165 and 860 MB, and 1387 MB with scale estimation on data,
which sets the factor; statistics 165 and 589, reference 140 and 822, evaluate 206 and 529, verify 145 and 325 MB.
Quantize is taken to be like compress."""
_OTHER = _Rule(100 * _MB, 4.0, 1.0, 2e-8)


class Costs:
    """What stages of a store have cost. Read once and written once a run."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.path = store.room() / "costs.json"
        self.known: dict[str, dict[str, float]] = {
            like: cost for like, cost in fs.recall(self.path).items() if isinstance(cost, dict) and _is_cost(cost)
        }
        self.documents: dict[str, Mapping[str, object]] = {}
        self.sources: dict[str, str] = {}
        self.sizes: dict[str, int] = {}

    def estimate(self, stages: Sequence[Stage]) -> Iterator[tuple[Stage, Estimate]]:
        """The expected cost of each of some stages, given in the order of their data."""
        self.documents |= {stage.key: stage.document for stage in stages}
        for stage in stages:
            size = self.sizes[stage.key] = self._size(stage)
            cost = self.known.get(self._like(stage))
            if cost:
                yield stage, Estimate(int(cost["memory"] * _MARGIN), cost["seconds"], known=True)
            else:
                rule = _RULES.get(stage.name, _OTHER)
                memory = rule.memory + int(rule.memory_factor * size)
                yield stage, Estimate(memory, rule.seconds + rule.seconds_factor * size, known=False)

    def note(self, stage: Stage, entry: Entry) -> None:
        """Keep what a stage cost now: the most memory that one of its like took, and the mean of their last seconds."""
        self.documents.setdefault(stage.key, stage.document)
        cost = self.known.setdefault(self._like(stage), {"memory": 0, "seconds": entry.record["seconds"]})
        cost["memory"] = max(cost["memory"], entry.record["peak_memory"])
        cost["seconds"] = round((cost["seconds"] + entry.record["seconds"]) / 2, 3)

    def save(self) -> None:
        """Write what was noted, for the runs to come; where that can't be, they estimate anew."""
        if self.known:
            with contextlib.suppress(OSError):
                fs.write_json(self.path, self.known)

    def _like(self, stage: Stage) -> str:
        kind = [stage.name, self._source(stage.key), _kind(stage.document.get("params")), sorted(stage.datasets)]
        return fs.sha256_json(kind)[:24]

    def _source(self, key: str) -> str:
        """A digest of where a stage's data come from in the end, whatever stages are in between."""
        if key not in self.sources:
            document = self._document(key)
            inputs = document.get("inputs")
            if isinstance(inputs, dict) and inputs:
                found = sorted({self._source(one) for one in inputs.values()})
                self.sources[key] = found[0] if len(found) == 1 else fs.sha256_json(found)
            else:
                told = [document.get(part) for part in ("stage", "params", "files")]
                self.sources[key] = fs.sha256_json(told)
        return self.sources[key]

    def _document(self, key: str) -> Mapping[str, object]:
        if key not in self.documents:
            entry, _ = self.store.read(key)
            self.documents[key] = entry.record["document"] if entry else {}
        return self.documents[key]

    def _size(self, stage: Stage) -> int:
        """Bytes of what a stage reads, or of what its inputs read where these are not made yet."""
        outside = sum(_bytes(path) for path in stage.files.values())
        return max([outside, *(self._size_of(key) for key in stage.after.values())])

    def _size_of(self, key: str) -> int:
        if key not in self.sizes:
            entry, _ = self.store.read(key)
            self.sizes[key] = sum(file["size"] for file in entry.record["files"].values()) if entry else 0
        return self.sizes[key]


def _is_cost(value: object) -> bool:
    """Whether a row of costs.json is one: bytes and seconds, of a size that can be."""
    if not isinstance(value, dict) or value.keys() != {"memory", "seconds"}:
        return False
    numbers = [number for number in value.values() if isinstance(number, int | float) and not isinstance(number, bool)]
    return len(numbers) == 2 and all(0 <= number < 1 << 60 for number in numbers)


def _kind(value: Any) -> Any:
    """Parameters with every number in them made alike."""
    if isinstance(value, Mapping):
        return {name: _kind(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_kind(item) for item in value]
    return "a number" if isinstance(value, int | float) and not isinstance(value, bool) else value


def _bytes(path: Path) -> int:
    files = fs.walk(path) if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())
