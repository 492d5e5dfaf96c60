"""The conditions of a JSON Schema -> for each key, what it needs and what it does not go together with, in words.

Read are `required`, `dependentRequired` and `if`/`then`/`else` over sibling keys. What is too involved for a short
sentence is told by the rule's own `errorMessage`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from runner.base.values import Schema
from runner.recipe.judge import wording

_ENDINGS = re.compile(r"^\\\.\(?([a-z|]+)\)?\$$")
"""A pattern that only looks at a file's suffix, such as \\.(txt|npz)$."""


@dataclass(frozen=True)
class Rules:
    """What the rules of a mapping refer to: its keys, and a way to follow `$ref`."""

    properties: Schema
    resolve: Callable[[Schema], Schema]


@dataclass(frozen=True)
class _Rule:
    """A consequence under a condition, or under none; `otherwise`: where the condition does not hold."""

    condition: Schema | None
    otherwise: bool
    then: Schema


def needs(schemas: Sequence[Schema], rules: Rules) -> dict[str, tuple[str, ...]]:
    """The sentences of each key that has any, for a mapping that has to satisfy all of `schemas`."""
    told: dict[str, dict[str, None]] = {}
    for schema in schemas:
        for rule in _rules(schema, rules, None, False):
            for key, sentence in _told(rule, rules):
                told.setdefault(key, {})[sentence] = None
    return {key: tuple(sentences) for key, sentences in told.items()}


def _rules(schema: Schema, rules: Rules, condition: Schema | None, otherwise: bool) -> Iterator[_Rule]:
    """The schema's consequences; of nested conditions the innermost counts, as the outer ones set the scene for it."""
    yield _Rule(condition, otherwise, schema)
    for part in schema.get("allOf", ()):
        yield from _rules(rules.resolve(part), rules, condition, otherwise)
    if "if" in schema:
        for branch in ("then", "else"):
            if isinstance(schema.get(branch), dict):
                yield from _rules(rules.resolve(schema[branch]), rules, rules.resolve(schema["if"]), branch == "else")


def _told(rule: _Rule, rules: Rules) -> Iterator[tuple[str, str]]:
    if "$id" in rule.then:
        return
    yield from _required(rule, rules)
    if rule.condition is not None:
        for key, schema in rule.then.get("properties", {}).items():
            if key in rules.properties:
                yield from _restrictions(rule, key, rules.resolve(schema), rules)
    choices = [one["required"][0] for one in rule.then.get("anyOf", ()) if len(one.get("required", ())) == 1]
    if choices and len(choices) == len(rule.then["anyOf"]):
        for key in choices:
            if key in rules.properties:
                yield key, f"one of {_or([f'`{one}`' for one in choices])} is required{_where(rule)}"


def _required(rule: _Rule, rules: Rules) -> Iterator[tuple[str, str]]:
    where = _where(rule)
    for key in rule.then.get("required", ()):
        if rule.condition is None:
            yield key, "required"
        elif where and key in rules.properties:
            yield key, f"required{where}"
            subjects = [subject for subject in _subjects(rule.condition) if subject in rules.properties]
            for subject in subjects:
                alone = len(subjects) == 1 and _switches_on(rule, subject)
                yield subject, f"needs `{key}`" if alone else f"needs `{key}`{where}"
    for subject, others in rule.then.get("dependentRequired", {}).items():
        for key in others:
            yield subject, f"needs `{key}`"


def _subjects(condition: Schema) -> list[str]:
    """The keys that a condition looks at."""
    return list(dict.fromkeys([*condition.get("properties", ()), *condition.get("required", ())]))


def _switches_on(rule: _Rule, key: str) -> bool:
    """Whether the rule holds as soon as a key is there, or true."""
    condition = rule.condition or {}
    return not rule.otherwise and condition.get("properties", {}).get(key, {"const": True}) == {"const": True}


def _restrictions(rule: _Rule, key: str, schema: Schema, rules: Rules) -> Iterator[tuple[str, str]]:
    """What the rule says of a key, and of the keys in it."""
    inner = schema.get("properties", {})
    for name, below in inner.items():
        yield from _restrictions(rule, f"{key}.{name}", rules.resolve(below), rules)
    for name in schema.get("required", ()):
        yield f"{key}.{name}", f"required{_where(rule)}"
    if not inner and "required" not in schema and (sentence := _restricted(rule, schema, rules)):
        yield key, sentence


def _restricted(rule: _Rule, schema: Schema, rules: Rules) -> str | None:
    """A key's own restriction under the rule's condition."""
    said = schema.get("errorMessage")
    because = str(said).partition(";")[0] if said else None
    if because and because.startswith("only "):
        return because
    if schema.get("not") in ({}, {"const": True}):
        what = "" if schema["not"] == {} else "`true` "
        if where := _only_where(rule, rules):
            return f"{what}only where {where}"
        where = _where(rule)
        return f"{what}not{where}: {because}" if where and because else because
    words = f"allowed: {_plain(schema['const'])}" if "const" in schema else wording.allowed(schema)
    where = _where(rule)
    if "const" in schema.get("if", {}).get("not", {}) and where:
        only = f"only `{_plain(schema['if']['not']['const'])}`{where}"
        reason = rules.resolve(schema.get("then", {})).get("errorMessage", "")
        return f"{only}: {reason.partition(';')[0]}" if reason else only
    return f"{words}{where}" if words and where else because


def _only_where(rule: _Rule, rules: Rules) -> str | None:
    """Where a key is allowed, if that takes fewer words than where it is refused."""
    condition = rule.condition or {}
    if rule.otherwise:
        return _said(condition)
    if set(condition) - {"properties", "required"} or len(condition.get("properties", ())) != 1:
        return None
    ((key, schema),) = condition["properties"].items()
    if schema.get("not"):
        return _said({"properties": {key: schema["not"]}})
    every = rules.resolve(rules.properties.get(key, {})).get("enum", ())
    rest = [value for value in every if value not in _values(schema)]
    return _key_is(key, rest) if rest and len(rest) < len(_values(schema)) else None


def _where(rule: _Rule) -> str:
    """` where …` or ` unless …`; empty where there is no condition or it takes too many words."""
    said = _said(rule.condition) if rule.condition else None
    return "" if said is None else f" unless {said}" if rule.otherwise else f" where {said}"


def _said(condition: Schema) -> str | None:
    """A condition in words; None where it takes too many."""
    if set(condition) == {"anyOf"}:
        parts = [_said(one) for one in condition["anyOf"]]
        return ", or ".join(part for part in parts if part) if all(parts) else None
    if set(condition) == {"not"} and set(condition["not"]) == {"required"}:
        return " and ".join(f"`{key}` is not given" for key in condition["not"]["required"])
    if set(condition) - {"properties", "required", "$comment"}:
        return None
    properties = condition.get("properties", {})
    parts = [_property(key, schema) for key, schema in properties.items()]
    parts += [f"`{key}` is given" for key in condition.get("required", ()) if key not in properties]
    return " and ".join(part for part in parts if part) if parts and all(parts) else None


def _property(key: str, schema: Schema) -> str | None:
    if values := _values(schema):
        return _key_is(key, values)
    endings = _ENDINGS.match(schema.get("pattern", ""))
    return f"`{key}` ends in {_or([f'.{one}' for one in endings[1].split('|')])}" if endings else None


def _values(schema: Schema) -> list[object]:
    return [schema["const"]] if "const" in schema else list(schema.get("enum", ()))


def _key_is(key: str, values: Sequence[object]) -> str:
    return f"`{key}` is {_or([f'`{_plain(value)}`' for value in values])}"


def _or(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"


def _plain(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)
