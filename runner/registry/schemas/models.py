"""The schema of `model`: which sources and tasks there are. Sources of other packages take a path or an id."""

from __future__ import annotations

from collections.abc import Iterable

from runner.base.values import Schema
from runner.registry.sources import Source
from runner.registry.tasks import TaskFamily

_LIKE = {"path": "paddle", "id": "embedded"}
"""How a model is named -> a source of ovrun to whose rules others are added."""


def model(schema: Schema, declared: Iterable[Source | TaskFamily]) -> Schema:
    """The schema of `model` with the sources and tasks of other packages beside those that its file has rules for."""
    for one in declared:
        if one.distribution:
            schema = _with(schema, one) if isinstance(one, Source) else _with_task(schema, one)
    return schema


def _with_task(schema: Schema, family: TaskFamily) -> Schema:
    task = schema["properties"]["task"]
    names = [*task["enum"], *(name for name in family.names if name not in task["enum"])]
    return schema | {"properties": schema["properties"] | {"task": task | {"enum": names}}}


def _with(schema: Schema, source: Source) -> Schema:
    kind = schema["properties"]["source"]
    told = {"description": f"{kind['description']} {source.name}: {source.help}.", "enum": [*kind["enum"], source.name]}
    properties = schema["properties"] | {"source": kind | told}
    complete = schema["$defs"]["complete"]
    complete = complete | {"allOf": [_ruled(rule, source) for rule in complete["allOf"]]}
    rules = [_ruled(rule, source) for rule in schema["allOf"]]
    return schema | {"properties": properties, "allOf": rules, "$defs": schema["$defs"] | {"complete": complete}}


def _ruled(rule: Schema, source: Source) -> Schema:
    """A rule that holds for the source too, if it holds for one like it."""
    sources = rule["if"]["properties"]["source"].get("enum", ())
    free = source.task and "task" in rule["then"].get("properties", {})
    if _LIKE[source.takes] not in sources or free:
        return rule
    wider = {"properties": {"source": {"enum": [*sources, source.name]}}, "required": ["source"]}
    return rule | {"if": wider}
