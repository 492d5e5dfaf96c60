"""What a stage will need: bytes of memory and seconds, from earlier runs of its like, else from the size of its model.

Alike are stages of one name that descend from the same source with the same kind of parameters, that is, the same but
for their numbers: int4 with another ratio is alike, int4 with another method is not.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import runner.base.files as fs
from runner.base.values import mapping
from runner.engine.sizes import Sizes
from runner.export.exportable import DIRECT_TASKS
from runner.plan.states import PlannedStage
from runner.plan.types import Stage
from runner.recipe.conversion import SMALL_BYTES
from runner.registry.tasks import PAST, TASKS
from runner.store import Entry, Store

_MARGIN = 1.1
"""A stage of the same like is given this much more than the most that one has taken."""


@dataclass(frozen=True)
class Estimate:
    """Expected cost of a stage.

    Attributes:
        memory: peak, in bytes.
        seconds: of wall time.
        disk: bytes that it writes into the store; 0 for what is small, or not known.
        known: whether its like has run before.
    """

    memory: int
    seconds: float
    disk: int
    known: bool


@dataclass(frozen=True)
class _Rule:
    """For a stage whose like never ran.

    Attributes:
        memory: bytes at no size.
        read: bytes for each byte that it reads.
        seconds: at no size.
        speed: seconds for each byte that it reads.
        narrowed: bytes for each byte that it reads and does not write.
        widened: how often the largest matrix is held in f32.
    """

    memory: int
    read: float
    seconds: float
    speed: float
    narrowed: float = 0.0
    widened: float = 0.0

    def peak(self, reads: int, writes: int, largest: int) -> int:
        """Bytes of memory; `largest` is how many weights the largest matrix has."""
        more = self.narrowed * max(reads - writes, 0) + self.widened * 4 * largest
        return self.memory + int(self.read * reads + more)


_MB = 1_000_000
_RULES: Mapping[str, _Rule] = {
    "fetch": _Rule(100 * _MB, 0.0, 1.0, 1e-8),
    "convert": _Rule(355 * _MB, 1.07, 3.0, 1e-8, narrowed=0.6),
    "inputs": _Rule(165 * _MB, 1.2, 0.5, 5e-9),
    "statistics": _Rule(165 * _MB, 2.0, 1.0, 1e-8),
    "compress": _Rule(165 * _MB, 1.2, 1.0, 1.2e-8, widened=2.3),
    "compress with data": _Rule(165 * _MB, 3.6, 1.0, 2e-8, widened=2.3),
    "quantize": _Rule(165 * _MB, 3.6, 2.0, 2e-8, widened=2.3),
    "assemble": _Rule(50 * _MB, 0.0, 0.1, 0.0),
    "adapter": _Rule(80 * _MB, 0.0, 0.1, 0.0),
    "verify": _Rule(145 * _MB, 1.9, 0.5, 5e-9),
    "verify by optimum-intel": _Rule(545 * _MB, 1.9, 4.0, 5e-9),
    "verify by diffusers": _Rule(650 * _MB, 1.9, 7.0, 5e-9),
    "record": _Rule(650 * _MB, 1.9, 10.0, 1e-7),
    "predict": _Rule(206 * _MB, 3.5, 1.0, 1e-8),
    "reference": _Rule(140 * _MB, 2.8, 1.0, 1e-8),
    "evaluate": _Rule(206 * _MB, 3.5, 1.0, 1e-8),
    "own_metric": _Rule(206 * _MB, 3.5, 1.0, 1e-8),
}
"""Fitted to models of 3.5 and 124 million and of 1.1e9 weights. Peaks of a conversion from 7 MB of fp16, 475 MB of fp32
and 2.2 GB of fp16: 361, 1011 and 2710 MB; of a compression to int4 165, 860 and 3160 MB, to int8 3520 MB, with scale
estimation on data 1387 MB (124 M); statistics 165 and 589, reference 140 and 822, evaluate 206 and 529 MB; verify 145,
325 and 1510 (int4) or 2230 MB (int8). Quantize is taken to be like compress with data."""
_LOADED = {
    "transformers": 440 * _MB,
    "transformers in parts": 555 * _MB,
    "diffusers": 700 * _MB,
    "pytorch": 420 * _MB,
}
"""Exporter -> memory with all that it loads, of models of next to no weights that are compared with their originals."""
_COMPARED = 5.0
"""Bytes for each weight of a comparison: a GPT-2 of 124 million took 1050 MB, CLIP of 151 million 1270 MB; T5-small and
a LLaVA of 162 million, which are in parts, 720 and 1130 MB."""
_ITEM = 1 * _MB
"""Bytes of a recorded item whose like was never seen: the embeddings of 250 tokens, each of 1000 numbers."""
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

    def estimate(self, stages: Sequence[Stage]) -> Iterator[tuple[Stage, Estimate]]:
        """The expected cost of each of some stages, given in the order of their data."""
        self.documents |= {stage.key: stage.document for stage in stages}
        sizes = Sizes(self.store)
        for stage in stages:
            sizes.take(stage)
            reads, writes = sizes.reads[stage.key], sizes.writes[stage.key]
            cost = self.known.get(self._like(stage))
            writes = writes or _recorded(stage, cost)
            if cost:
                yield stage, Estimate(int(cost["memory"] * _MARGIN), cost["seconds"], writes, known=True)
            else:
                rule, weights = _rule(stage), sizes.weights[stage.key]
                memory = max(rule.peak(reads, writes, weights.largest), _compared(stage, weights.count))
                yield stage, Estimate(memory, rule.seconds + rule.speed * reads, writes, known=False)

    def note(self, stage: Stage, entry: Entry) -> None:
        """Keep what a stage cost now: the most memory that one of its like took, and the mean of their last seconds."""
        self.documents.setdefault(stage.key, stage.document)
        cost = self.known.setdefault(self._like(stage), {"memory": 0, "seconds": entry.record["seconds"]})
        cost["memory"] = max(cost["memory"], entry.record["peak_memory"])
        cost["seconds"] = round((cost["seconds"] + entry.record["seconds"]) / 2, 3)
        items = mapping(entry.record.get("result", {})).get("items")
        if stage.name == "record" and isinstance(items, int) and items:
            cost["item"] = sum(file["size"] for file in entry.record["files"].values()) // items

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


def _compared(stage: Stage, weights: int) -> int:
    """Bytes of memory of a conversion that is held against its original, which has 32 bits; 0 for other stages."""
    params = mapping(stage.document.get("params", {}))
    exporter, check = str(params.get("exporter")), params.get("check")
    if stage.name != "convert" or exporter not in _LOADED:
        return 0
    direct = str(params.get("task")).removesuffix(PAST) in DIRECT_TASKS
    base = _LOADED["transformers in parts" if exporter == "transformers" and not direct else exporter]
    held = check == "any" or (check == "small" and 4 * weights <= SMALL_BYTES)
    return base + int(_COMPARED * weights * held)


def _recorded(stage: Stage, cost: Mapping[str, float] | None) -> int:
    """Bytes of what a stage records; 0 for other stages."""
    count = mapping(stage.document.get("params", {})).get("subset_size")
    if stage.name != "record" or not isinstance(count, int):
        return 0
    return int(count * (cost or {}).get("item", _ITEM))


def _rule(stage: Stage) -> _Rule:
    if stage.name == "verify":
        family = TASKS.get(str(mapping(stage.document.get("params", {})).get("family")))
        libraries = family.libraries if family else ()
        loads = next((name for name in ("diffusers", "optimum-intel") if name in libraries), "")
        return _RULES[f"verify by {loads}" if loads else "verify"]
    with_data = stage.name == "compress" and ("statistics" in stage.after or stage.datasets)
    return _RULES.get("compress with data" if with_data else stage.name, _OTHER)


def _is_cost(value: object) -> bool:
    """Whether a row of costs.json is one: bytes, seconds and bytes of an item, of a size that can be."""
    if not isinstance(value, dict) or value.keys() - {"item"} != {"memory", "seconds"}:
        return False
    numbers = [number for number in value.values() if isinstance(number, int | float) and not isinstance(number, bool)]
    return len(numbers) == len(value) and all(0 <= number < 1 << 60 for number in numbers)


def _kind(value: Any) -> Any:
    """Parameters with every number in them made alike."""
    if isinstance(value, Mapping):
        return {name: _kind(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_kind(item) for item in value]
    return "a number" if isinstance(value, int | float) and not isinstance(value, bool) else value


def expected(found: Sequence[PlannedStage], stages: Sequence[Stage], store: Store) -> list[PlannedStage]:
    """The stages of a plan, those that are needed with what they are expected to cost."""
    if not any(stage.needed for stage in found):
        return list(found)
    costs = {stage.key: estimate for stage, estimate in Costs(store).estimate(stages)}
    return [_with_cost(stage, costs[stage.key]) if stage.needed else stage for stage in found]


def _with_cost(stage: PlannedStage, cost: Estimate) -> PlannedStage:
    return replace(stage, seconds=cost.seconds, memory=cost.memory, disk=cost.disk)
