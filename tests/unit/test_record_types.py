"""The types of manifests and of the records of sweeps have the keys that their schema says."""

from __future__ import annotations

import json
from typing import Any, NotRequired, get_origin, get_type_hints

import pytest

from runner.artifact import types
from runner.base import resources
from runner.base.hardware import Hardware
from runner.metrics import records
from runner.registry.gates import GateKind

SCHEMA = json.loads((resources.schemas_dir() / "manifest.schema.json").read_text(encoding="utf-8"))
PROPERTIES, DEFINITIONS = SCHEMA["properties"], SCHEMA["$defs"]
SECTIONS: dict[type, dict[str, Any]] = {
    types.Manifest: SCHEMA,
    types.ModelRecord: PROPERTIES["model"],
    types.SweepRecord: PROPERTIES["sweep"],
    types.DatasetRecord: PROPERTIES["datasets"]["additionalProperties"],
    types.SizeRecord: PROPERTIES["size"],
    types.FileRecord: PROPERTIES["files"]["additionalProperties"],
    types.StageRecord: DEFINITIONS["stage"],
    types.SweepRun: DEFINITIONS["sweep_record"],
    types.PointRecord: DEFINITIONS["point"],
    Hardware: DEFINITIONS["hardware"],
    records.CheckRecord: DEFINITIONS["check"],
    records.NoiseRecord: DEFINITIONS["noise"],
    records.NoiseWay: DEFINITIONS["noise_way"],
    records.Difference: DEFINITIONS["difference"],
    records.Flipped: DEFINITIONS["flipped"],
    records.FlippedRow: DEFINITIONS["flipped_row"],
    records.GateRecord: DEFINITIONS["check"]["properties"]["gates"]["items"],
}


@pytest.mark.parametrize("kind", SECTIONS, ids=lambda kind: kind.__name__)
def test_a_type_has_the_keys_of_its_schema(kind: type) -> None:
    hints = get_type_hints(kind, include_extras=True)
    assert hints.keys() == SECTIONS[kind]["properties"].keys()
    required = {name for name, hint in hints.items() if get_origin(hint) is not NotRequired}
    assert required == set(SECTIONS[kind]["required"])


def test_the_schema_knows_every_gate() -> None:
    gates = SECTIONS[records.GateRecord]["properties"]["gate"]["enum"]
    assert set(gates) == {*GateKind, None}
