"""A JSON Schema error -> what is wrong, what is allowed, and the nearest right thing, in words.

A schema can say more through two keywords that editors show or ignore: `errorMessage` says why something is refused
or missing, `x-allowed` what is allowed where that can't be derived.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from jsonschema.exceptions import ValidationError

from runner.base.values import Schema
from runner.base.words import near
from runner.recipe.judge import legacy
from runner.recipe.judge.schemas import load_schema
from runner.recipe.origins import KeyPath

_KINDS = {
    "number": "a number",
    "integer": "a whole number",
    "string": "a text",
    "boolean": "true or false",
    "array": "a list",
    "object": "a mapping",
    "null": "null",
}
_BOOLEANS = {"yes": "true", "on": "true", "y": "true", "no": "false", "off": "false", "n": "false"}


@dataclass(frozen=True)
class Finding:
    """One mistake.

    Attributes:
        about_key: the key itself is wrong, not its value.
        rank: of several mistakes at one key the one with the lowest rank is told.
    """

    path: KeyPath
    what: str
    allowed: str | None = None
    suggestion: str | None = None
    about_key: bool = False
    rank: int = 1


@dataclass(frozen=True)
class Broken:
    """A schema's keyword, its value, the schema that it is in, and the instance that doesn't satisfy it."""

    keyword: str
    value: Any
    schema: Schema
    instance: Any
    message: str

    @property
    def said(self) -> str | None:
        """What the schema itself says about the mistake."""
        said: str | None = self.schema.get("errorMessage")
        return said


def findings(error: ValidationError) -> Iterator[Finding]:
    """The mistakes that one schema error stands for."""
    schema = error.schema if isinstance(error.schema, dict) else {}
    broken = Broken(str(error.validator), error.validator_value, schema, error.instance, error.message)
    path: KeyPath = tuple(error.absolute_path)
    if "propertyNames" in list(error.absolute_schema_path)[-2:]:
        what = broken.said or "not a name"
        yield Finding((*path, str(error.instance)), what, allowed(schema), about_key=True, rank=0)
    elif broken.keyword in _WORDED:
        yield from _WORDED[broken.keyword](broken, path)
    else:
        yield Finding(path, broken.said or broken.message, rank=2)


def show(value: object) -> str:
    """A value as a message shows it, short."""
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else text[:57] + "…"


def allowed(schema: Schema) -> str | None:
    """What a schema allows, in words."""
    if said := schema.get("x-allowed"):
        return f"allowed: {said}"
    if "enum" in schema.get("then", {}):
        return f"{allowed(schema['then'])}, or a mapping with {', '.join(schema['required'])}"
    if "enum" in schema:
        return f"allowed: {', '.join(map(_plain, schema['enum']))}"
    if "type" in schema:
        kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
        return f"allowed: {' or '.join(_KINDS[kind] for kind in kinds)}{_bounds(schema)}"
    return None


def _bounds(schema: Schema) -> str:
    words = {"exclusiveMinimum": "above", "minimum": "of at least", "exclusiveMaximum": "below", "maximum": "at most"}
    parts = [f"{word} {schema[key]}" for key, word in words.items() if key in schema]
    return f" {' and '.join(parts)}" if parts else ""


def _plain(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _unknown_keys(error: Broken, path: KeyPath) -> Iterator[Finding]:
    known = list(error.schema["properties"])
    for key in error.instance:
        if key in known:
            continue
        if old := legacy.OLD_KEYS.get(key):
            yield Finding((*path, key), old, about_key=True)
        elif "." in key and key.split(".")[0] in known:
            nested = "a mapping in a mapping, not a key with dots"
            yield Finding((*path, key), "unknown key", f"write it as {nested}", about_key=True)
        else:
            names = f"allowed: {', '.join(known)}"
            yield Finding((*path, key), "unknown key", names, _home(key, path) or near(key, known), about_key=True)


def _home(key: str, path: KeyPath) -> str | None:
    """Where a key belongs that stands at the top by mistake."""
    sections = ("compression", "model", "conversion", "accuracy")
    files = {"compression": ("weight_compression", "quantization")}
    for section in sections if not path else ():
        for name in files.get(section, (section,)):
            if key in load_schema(f"{name}.schema.json")["properties"]:
                return f"{section}.{key}"
    return None


_FILES = {
    "model": "model",
    "datasets": "dataset",
    "compression": "weight_compression",
    "parts": "weight_compression",
}
"""Section -> the schema of what it holds, or of each of the things that it holds."""


def _missing_keys(error: Broken, path: KeyPath) -> Iterator[Finding]:
    because = error.said
    for key in error.value:
        if key not in error.instance:
            yield Finding((*path, key), f"missing; {because}" if because else "missing", _needed(key, path))


def _needed(key: str, path: KeyPath) -> str | None:
    """What to give for a key that is missing."""
    if key == "algorithm":
        return allowed(load_schema("compression.schema.json")["$defs"]["step"]["properties"][key])
    if key == "dataset":
        return "name one of the recipe's datasets"
    name = _FILES.get(str((*path, "")[0]))
    schema = load_schema(f"{name}.schema.json")["properties"].get(key, {}) if name else {}
    return allowed(schema) if key != "task" else "name it as Optimum does, such as text-generation-with-past"


def _wrong_type(error: Broken, path: KeyPath) -> Iterator[Finding]:
    wanted = error.value if isinstance(error.value, list) else [error.value]
    kinds = " or ".join(_KINDS[kind] for kind in wanted)
    what = "empty" if error.instance is None else f"{show(error.instance)} is not {kinds}"
    yield Finding(path, what, allowed(error.schema), _as_type(error.instance, wanted), rank=0)


def _as_type(value: object, wanted: list[str]) -> str | None:
    """The same thing in the right type, where a text was meant as a number or truth, or the other way round."""
    if isinstance(value, str) and "boolean" in wanted:
        return _BOOLEANS.get(value.lower())
    if isinstance(value, str) and {"number", "integer"} & set(wanted):
        try:
            return value if float(value) == float(value) else None
        except ValueError:
            return None
    if (
        isinstance(value, int | float)
        and not isinstance(value, bool)
        and "string" in wanted
        and "integer" not in wanted
    ):
        return f'"{value}" in quotes'
    return None


def _not_in_enum(error: Broken, path: KeyPath) -> Iterator[Finding]:
    value = error.instance
    choices = [choice for choice in error.value if isinstance(choice, str)]
    old = legacy.OLD_VALUES.get((str(path[-1]), value)) if path and isinstance(value, str) else None
    guess = near(value.lower(), choices) if isinstance(value, str) else None
    guess = guess or (near(value.upper(), choices) if isinstance(value, str) else None)
    yield Finding(path, old or f"{show(value)} is not known", allowed(error.schema), None if old else guess)


def _out_of_range(error: Broken, path: KeyPath) -> Iterator[Finding]:
    size = "small" if "inimum" in error.keyword else "large"
    yield Finding(path, f"{show(error.instance)} is too {size}", allowed(error.schema))


def _unfitting(error: Broken, path: KeyPath) -> Iterator[Finding]:
    yield Finding(path, f"{show(error.instance)} doesn't fit", allowed(error.schema))


def _too_long(error: Broken, path: KeyPath) -> Iterator[Finding]:
    yield Finding(path, f"{len(error.instance)} letters are too many", f"at most {error.value}")


def _empty(error: Broken, path: KeyPath) -> Iterator[Finding]:
    yield Finding(path, "empty", allowed(error.schema))


def _refused(error: Broken, path: KeyPath) -> Iterator[Finding]:
    value = f"{show(error.instance)}: " if error.schema.get("not") else ""
    what = error.said or f"{value}not allowed"
    yield Finding(path, what, allowed(error.schema), about_key=True, rank=0)


def _none_of(error: Broken, path: KeyPath) -> Iterator[Finding]:
    yield Finding(path, error.said or error.message, allowed(error.schema))


_WORDED: dict[str, Callable[[Broken, KeyPath], Iterator[Finding]]] = {
    "additionalProperties": _unknown_keys,
    "required": _missing_keys,
    "type": _wrong_type,
    "enum": _not_in_enum,
    "const": _none_of,
    "minimum": _out_of_range,
    "maximum": _out_of_range,
    "exclusiveMinimum": _out_of_range,
    "exclusiveMaximum": _out_of_range,
    "pattern": _unfitting,
    "minLength": _empty,
    "maxLength": _too_long,
    "minItems": _unfitting,
    "maxItems": _unfitting,
    "minProperties": _empty,
    "not": _refused,
    "anyOf": _none_of,
}
