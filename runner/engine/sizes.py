"""How many bytes stages read and write: from the store, or from the weights of their source and the types they get."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from runner.base.values import mapping, section
from runner.engine.references import stored_bytes, vocabulary
from runner.model.weights import Weights, weights_of
from runner.recipe.judge import weight_rules

if TYPE_CHECKING:
    from runner.plan.types import Stage
    from runner.store import Store

_BITS = {"int8_sym": 8, "int8_asym": 8, "int3_sym": 3, "int2_sym": 2, "mxfp8_e4m3": 8, "fp8_e4m3": 8, "none": 16}
"""Of the modes that have not 4."""
_SCALE = 16
"""Bits of a scale."""


class Sizes:
    """Of the stages that it was told of, in the order of their data."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.reads: dict[str, int] = {}
        self.writes: dict[str, int] = {}
        self.weights: dict[str, Weights] = {}
        self.vocabularies: dict[str, int] = {}

    def take(self, stage: Stage) -> None:
        """Find the sizes of one stage."""
        outside = weights = weights_of(stage.files.values())
        for key in stage.after.values():
            if key not in self.writes:
                self._take_stored(key)
            weights = max(weights, self.weights[key], key=lambda one: one.count)
        self.weights[stage.key] = weights.parted() if stage.name == "convert" else weights
        self.vocabularies[stage.key] = self._vocabulary(stage)
        self.reads[stage.key] = max([outside.stored, *(self.writes[key] for key in stage.after.values())])
        self.writes[stage.key] = self._stored(stage.key) or self._written(stage)

    def _written(self, stage: Stage) -> int:
        if stage.name == "reference":
            return stored_bytes(stage, self.vocabularies[stage.key])
        return _written(stage, self.weights[stage.key], self.reads[stage.key])

    def _vocabulary(self, stage: Stage) -> int:
        """That of the model which a stage works on, 0 where nobody knows."""
        known = [self.vocabularies[key] for key in stage.after.values()]
        folders = (path if path.is_dir() else path.parent for path in stage.files.values())
        return max([*known, *map(vocabulary, folders), 0]) or self._stored_vocabulary(stage.key)

    def _take_stored(self, key: str) -> None:
        """An entry of whose stage nothing else is known; its weights have 16 bits unless they were compressed."""
        size = self.writes[key] = self._stored(key)
        self.weights[key] = Weights(size // 2, size)
        self.vocabularies[key] = self._stored_vocabulary(key)

    def _stored_vocabulary(self, key: str) -> int:
        entry, _ = self.store.read(key)
        return vocabulary(entry.files) if entry else 0

    def _stored(self, key: str) -> int:
        """Bytes of an entry's files; 0 if it isn't there."""
        entry, _ = self.store.read(key)
        return sum(file["size"] for file in entry.record["files"].values()) if entry else 0


def _written(stage: Stage, weights: Weights, reads: int) -> int:
    params = mapping(stage.document.get("params", {}))
    match stage.name:
        case "convert":
            return weights.count * (4 if params.get("precision") == "fp32" else 2)
        case "compress":
            size = _compressed(section(params, "step"), weights)
            return size // 2 if params.get("part") else size
        case "quantize":
            return weights.count
        case "fetch" | "inputs" | "assemble" | "adapter":
            return reads
    return 0


def _compressed(step: Mapping[str, object], weights: Weights) -> int:
    """Bytes of the weights after `nncf.compress_weights`, with their scales."""
    mode, backup = str(step.get("mode")), weight_rules.backup_mode(step)
    if mode in weight_rules.INT8:
        return weights.count
    stated, group = step.get("ratio"), weight_rules.group_size(step)
    ratio = stated if isinstance(stated, int | float) else 1.0
    low = _BITS.get(mode, 4) + (_SCALE / group if group > 0 else 0)
    high = _BITS.get(backup, 8)
    embedded = 0 if step.get("all_layers") else min(weights.embedded, weights.count)
    return int((embedded * high + (weights.count - embedded) * (ratio * low + (1 - ratio) * high)) / 8)
