"""The schemas of checks and of accuracy control: which metrics there are, and what goes with which."""

from __future__ import annotations

import typing
from collections.abc import Iterable, Mapping

from runner.base.values import Schema
from runner.registry.gates import LIMITS, Better, GateKind
from runner.registry.metric_settings import ENCODER, FED_BY
from runner.registry.metrics import Family, Gives, Metric
from runner.registry.words import listed, shortened

Families = Iterable[Family]
_SEARCH = frozenset(
    {
        *("metric", "dataset", "max_drop", "drop_type", "restore_mode"),
        *("max_num_iterations", "ranking_subset_size", "minutes"),
    }
)
"""The keys of accuracy control that are no settings of metrics."""


def accuracy(schema: Schema, families: Families) -> Schema:
    """The schema of `accuracy` for the metrics of families."""
    families = list(families)
    check, metrics = schema["$defs"]["check"], _metrics(families)
    base = {
        name: value for name, value in check["properties"].items() if name in {"metric", "dataset", "decide", *GateKind}
    }
    base["metric"] = _described_alone(base["metric"]) | {
        "description": _described(families),
        "x-needs": [f"{needs}, for {listed(names)}" for needs, names in _needing(families).items()],
        **_named_or_own([one.name for one in metrics]),
    }
    taking = _settings_of(families)
    settings = {name: _setting(setting, takers) for name, (setting, takers) in taking.items()}
    rules = [check["allOf"][0], *_distances(metrics)]
    rules += [_only(name, setting, takers) for name, (setting, takers) in taking.items()]
    rules.append(_with_encoder(families))
    made = check | {"properties": base | settings, "allOf": rules}
    against = listed([one.name for one in metrics if not one.own_value])
    why = f"this metric already compares with the reference; it takes max and min, as do {against}"
    definitions = schema["$defs"] | {"check": made, "no_reference": {"not": {}, "errorMessage": why}}
    return schema | {"$defs": definitions}


def accuracy_control(schema: Schema, families: Families) -> Schema:
    """The schema of `accuracy_control` for those that it can search by."""
    families = list(families)
    searching = [one for one in families if any(metric.controls for metric in one.metrics)]
    metric = schema["properties"]["metric"]
    metric = _described_alone(metric) | _named_or_own([one.name for one in _metrics(searching) if one.controls])
    taking = {name: one for name, one in _settings_of(searching).items() if name != "stride"}
    own = {name: one for name, one in schema["properties"].items() if name in _SEARCH}
    settings = {name: _setting(setting, takers) for name, (setting, takers) in taking.items()}
    distances = [one.name for one in _metrics(searching) if one.better == Better.LOWER and not one.own_value]
    first = schema["allOf"][0] | {"if": {"properties": {"metric": {"enum": distances}}, "required": ["metric"]}}
    rules = [first, *(_only(name, setting, takers) for name, (setting, takers) in taking.items())]
    return schema | {"properties": own | {"metric": metric} | settings, "allOf": rules}


_OWN: Schema = {
    "path": {
        "description": "The Python file, relative to the file that states it. It runs only with `--allow-code`.",
        "type": "string", "pattern": "\\.py$", "x-allowed": "a path that ends in .py", "examples": ["my_metric.py"],
    },
    "function": {
        "description": "The function of that file. It is called with what the model gave (`predictions`) or the model, "
        "and with the dataset's rows, and gives a number, a number for each row, or {value, rows}.",
        "type": "string", "pattern": "^[A-Za-z_][A-Za-z0-9_]*$", "maxLength": 100, 
        "x-allowed": "the name of a function", "examples": ["score"],
    },
    "better": {"description": "Which direction is better.", "enum": [*Better], "examples": ["higher"]},
    "name": {
        "description": "What checks, reports and `select` call it. Default: the function's name.",
        "type": "string", "pattern": "^[A-Za-z_][A-Za-z0-9_]*$", "maxLength": 100,
        "x-allowed": "letters, digits and _, no digit first", "examples": ["helpfulness"],
    },
    "takes": {
        "description": "predictions: what the model gave for each row, kept for all metrics. model: the "
        "`openvino.CompiledModel`, or the folder of a language model or of one of several parts.",
        "enum": ["predictions", "model"], "default": "predictions", "examples": ["model"],
    },
    "rows": {
        "description": "What is kept of the model for each row. Default: what models of its task give for the dataset.",
        "enum": [one for one in typing.get_args(Gives) if one != "task scores"], "examples": ["class scores"],
    },
    "needs": {
        "description": "Roles of the dataset's columns that the function is given. Default: all but images and sounds.",
        "type": "array", "items": {"type": "string", "minLength": 1}, "uniqueItems": True, "examples": [["label"]],
    },
    "params": {
        "description": "Keyword arguments of the function.", "type": "object", "x-allowed": "keyword arguments",
        "examples": [{"threshold": 0.5}],
    },
}  # fmt: skip


def _described_alone(metric: Schema) -> Schema:
    """What the file says in words, whatever names it allowed when it was written."""
    return {name: value for name, value in metric.items() if name in ("description", "examples")}


def _named_or_own(names: list[str]) -> Schema:
    """The name of a metric that is declared, or what a recipe says of one of its own."""
    return {
        "type": ["string", "object"],
        "if": {"type": "string"},
        "then": {"enum": names},
        "properties": _OWN,
        "required": ["path", "function", "better"],
        "additionalProperties": False,
    }


def _metrics(families: Families) -> list[Metric]:
    return [metric for family in families for metric in family.metrics]


def _described(families: Families) -> str:
    return "What is measured. " + " ".join(f"{_named(one)}: {one.help}." for one in families)


def _needing(families: Families) -> dict[str, list[str]]:
    """What is needed, in words -> the metrics that need it."""
    found: dict[str, list[str]] = {}
    for one in families:
        found.setdefault(one.needs, []).append(_named(one))
    return found


def _named(family: Family) -> str:
    """The names of a family's metrics: all if they are few, else the first and the last."""
    return shortened([metric.name for metric in family.metrics])


def _settings_of(families: Families) -> dict[str, tuple[Mapping[str, object], list[Family]]]:
    """Setting -> its schema, and the families that take it; of a setting that several have, the first one's counts."""
    found: dict[str, tuple[Mapping[str, object], list[Family]]] = {}
    for family in families:
        for name, schema in family.settings.items():
            found.setdefault(name, (schema, []))[1].append(family)
    return found


def _setting(schema: Mapping[str, object], takers: Families) -> Schema:
    said = schema.get("description", "A setting of its metric.")
    plain = {name: value for name, value in schema.items() if name != "x-only"}
    return plain | {"description": f"{said} Only for {_takers(schema, takers)}."}


def _only(name: str, schema: Mapping[str, object], takers: Families) -> Schema:
    """A setting that no other metric takes."""
    names = [metric.name for metric in _metrics(takers)]
    metric: Schema = {"not": {"enum": names}}
    if any(name in fed for fed in FED_BY.values()):  # it shapes what is kept, also for a metric of the recipe's own
        metric["type"] = "string"
    others = {"properties": {"metric": metric}, "required": ["metric"]}
    refusal = {"not": {}, "errorMessage": f"only for {_takers(schema, takers)}"}
    return {"if": others, "then": {"properties": {name: refusal}}}


def _with_encoder(families: Families) -> Schema:
    """An encoder has no default."""
    names = [metric.name for metric in _metrics(one for one in families if one.encoder)]
    needing = {"properties": {"metric": {"type": "string", "enum": names}}, "required": ["metric"]}
    why = "this metric is measured on the embeddings of an encoder"
    return {"if": needing, "then": {"required": [ENCODER], "errorMessage": why}}


def _takers(schema: Mapping[str, object], takers: Families) -> str:
    return str(schema.get("x-only") or shortened([metric.name for metric in _metrics(takers)]))


_WRONG = {
    Better.LOWER: (GateKind.MAX_DROP, f"{GateKind.MAX_RELATIVE_INCREASE} or {GateKind.MAX}"),
    Better.HIGHER: (GateKind.MAX_RELATIVE_INCREASE, f"{GateKind.MAX_DROP} or {GateKind.MIN}"),
}
"""Direction -> the distance that only a better model misses, and what to use."""


def _distances(metrics: list[Metric]) -> Iterable[Schema]:
    """Gates on the distance from the reference's value, each only where it can be missed."""
    own = [one for one in metrics if one.own_value]
    distance = {"$ref": "#/$defs/no_reference"}
    yield {
        "if": {
            "properties": {"metric": {"enum": [one.name for one in metrics if not one.own_value]}},
            "required": ["metric"],
        },
        "then": {"properties": {one.value: distance for one in GateKind if one not in LIMITS}},
    }
    for better, (wrong, right) in _WRONG.items():
        names = [one.name for one in own if one.better == better]
        why = f"{better} is better for this metric: this passes every model that is worse; use {right}"
        yield {
            "if": {"properties": {"metric": {"enum": names}}, "required": ["metric"]},
            "then": {"properties": {wrong.value: {"not": {}, "errorMessage": why}}},
        }
