"""The parts of the JSON Schemas that are made of declarations: which names there are, and what goes with which.

The files in schemas/ hold what ovrun itself declares: `python -m runner.registry.schema` writes it into them. What
other packages declare is added when the files are read.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from runner.base import resources
from runner.registry.metrics import FAMILIES, Family, Metric

Schema = dict[str, Any]
Families = Iterable[Family]

_GATES = frozenset({"max", "min", "max_drop", "max_relative_increase"})


def complete(file: str, schema: Schema) -> Schema:
    """A schema with what is declared, by the name of its file; others stay as they are."""
    make = _MADE.get(file)
    return schema if make is None else make(schema, list(FAMILIES.values()))


def _accuracy(schema: Schema, families: Families) -> Schema:
    check, metrics = schema["$defs"]["check"], _metrics(families)
    base = {name: value for name, value in check["properties"].items() if name in {"metric", "dataset"} | _GATES}
    base["metric"] = base["metric"] | {
        "description": _described(families),
        "x-needs": [f"{one.needs}, for {_named(one)}" for one in families],
        "enum": [one.name for one in metrics],
    }
    taking = _settings_of(families)
    settings = {name: _setting(setting, takers) for name, (setting, takers) in taking.items()}
    rules = [check["allOf"][0], *_distances(metrics)]
    rules += [_only(name, setting, takers) for name, (setting, takers) in taking.items()]
    made = check | {"properties": base | settings, "allOf": rules}
    own = [one.name for one in metrics if one.own_value]
    why = f"this metric already compares with the reference; it takes max and min (only {_list(own)} take a distance)"
    definitions = schema["$defs"] | {"check": made, "no_reference": {"not": {}, "errorMessage": why}}
    return schema | {"$defs": definitions}


def _control(schema: Schema, families: Families) -> Schema:
    searched = [one.name for one in _metrics(families) if one.controls]
    metric = schema["properties"]["metric"] | {"enum": searched}
    return schema | {"properties": schema["properties"] | {"metric": metric}}


def _metrics(families: Families) -> list[Metric]:
    return [metric for family in families for metric in family.metrics]


def _described(families: Families) -> str:
    return "What is measured. " + " ".join(f"{_named(one)}: {one.help}." for one in families)


def _named(family: Family) -> str:
    """The names of a family's metrics: all if they are few, else the first and the last."""
    return _short([metric.name for metric in family.metrics])


def _settings_of(families: Families) -> dict[str, tuple[Mapping[str, Any], list[Family]]]:
    """Setting -> its schema, and the families that take it; of a setting that several have, the first one's counts."""
    found: dict[str, tuple[Mapping[str, Any], list[Family]]] = {}
    for family in families:
        for name, schema in family.settings.items():
            found.setdefault(name, (schema, []))[1].append(family)
    return found


def _setting(schema: Mapping[str, Any], takers: Families) -> Schema:
    said = schema.get("description", "A setting of its metric.")
    plain = {name: value for name, value in schema.items() if name != "x-only"}
    return plain | {"description": f"{said} Only for {_takers(schema, takers)}."}


def _only(name: str, schema: Mapping[str, Any], takers: Families) -> Schema:
    """A setting that no other metric takes."""
    names = [metric.name for metric in _metrics(takers)]
    others = {"properties": {"metric": {"not": {"enum": names}}}, "required": ["metric"]}
    refusal = {"not": {}, "errorMessage": f"only for {_takers(schema, takers)}"}
    return {"if": others, "then": {"properties": {name: refusal}}}


def _takers(schema: Mapping[str, Any], takers: Families) -> str:
    return str(schema.get("x-only") or _short([metric.name for metric in _metrics(takers)]))


_WRONG = {"lower": ("max_drop", "max_relative_increase or max"), "higher": ("max_relative_increase", "max_drop or min")}
"""Direction -> the distance that only a better model misses, and what to use."""


def _distances(metrics: list[Metric]) -> Iterable[Schema]:
    """Gates on the distance from the reference's value, each only where it can be missed."""
    own = [one for one in metrics if one.own_value]
    distance = {"$ref": "#/$defs/no_reference"}
    yield {
        "if": {
            "properties": {"metric": {"not": {"enum": [one.name for one in own]}}},
            "required": ["metric"],
        },
        "then": {"properties": {"max_drop": distance, "max_relative_increase": distance}},
    }
    for one in own:
        wrong, right = _WRONG[one.better]
        why = f"{one.better} {one.name} is better: this passes every model that is worse; use {right}"
        yield {
            "if": {"properties": {"metric": {"const": one.name}}, "required": ["metric"]},
            "then": {"properties": {wrong: {"not": {}, "errorMessage": why}}},
        }


def _list(names: list[str]) -> str:
    return f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else "".join(names)


def _short(names: list[str]) -> str:
    return _list(names) if len(names) < 5 else f"{names[0]} … {names[-1]}"


_MADE: Mapping[str, Callable[[Schema, Families], Schema]] = {
    "accuracy.schema.json": _accuracy,
    "accuracy_control.schema.json": _control,
}


def written() -> dict[str, str]:
    """File -> its text with what ovrun itself declares."""
    own = [family for family in FAMILIES.values() if not family.distribution]
    texts = {}
    for file, make in _MADE.items():
        schema = json.loads((resources.schemas_dir() / file).read_text(encoding="utf-8"))
        texts[file] = json.dumps(make(schema, own), indent=2, ensure_ascii=False) + "\n"
    return texts


if __name__ == "__main__":
    for _file, _text in written().items():
        (resources.schemas_dir() / _file).write_text(_text, encoding="utf-8")
