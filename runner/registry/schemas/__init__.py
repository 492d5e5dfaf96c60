"""The parts of the JSON Schemas that are made of declarations.

The files in schemas/ hold what ovrun itself declares: `python -m runner.registry.schemas` writes it into them. What
other packages declare is added when the files are read.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from runner.base import resources
from runner.base.values import Schema
from runner.registry.declared import Declared
from runner.registry.formats import FORMATS
from runner.registry.metrics import FAMILIES
from runner.registry.schemas.datasets import dataset
from runner.registry.schemas.metrics import accuracy, accuracy_control
from runner.registry.schemas.models import model
from runner.registry.sources import SOURCES
from runner.registry.tasks import TASKS

_MADE: Mapping[str, tuple[Callable[[Schema, list[Any]], Schema], tuple[Declared[Any], ...]]] = {
    "accuracy.schema.json": (accuracy, (FAMILIES,)),
    "accuracy_control.schema.json": (accuracy_control, (FAMILIES,)),
    "dataset.schema.json": (dataset, (FORMATS,)),
    "model.schema.json": (model, (SOURCES, TASKS)),
}


def complete(file: str, schema: Schema) -> Schema:
    """A schema with what is declared, by the name of its file; others stay as they are."""
    if file not in _MADE:
        return schema
    make, registries = _MADE[file]
    return make(schema, [one for declared in registries for one in declared.values()])


def written() -> dict[str, str]:
    """File -> its text with what ovrun itself declares."""
    texts = {}
    for file, (make, registries) in _MADE.items():
        schema = json.loads((resources.schemas_dir() / file).read_text(encoding="utf-8"))
        own = [one for declared in registries for one in declared.values() if not one.distribution]
        texts[file] = json.dumps(make(schema, own), indent=2, ensure_ascii=False) + "\n"
    return texts
