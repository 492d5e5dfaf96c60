"""Whether data has the shape that one of our own schemas says: a small part of JSON Schema, without its library.

A report reads hundreds of manifests, and the library would take longer for that than all the rest.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import cache
from typing import Any

from runner.base import resources

_DEPTH = 64
_LARGEST, _HUGE = 1 << 63, 1e308
_SURROGATE = re.compile(rb"\\u[dD][89abAB]")

_TYPES: Mapping[str, tuple[type, ...]] = {
    "null": (type(None),),
    "boolean": (bool,),
    "string": (str,),
    "object": (dict,),
    "array": (list,),
    "integer": (int,),
    "number": (int, float),
}


class ShapeError(ValueError):
    """Data of another shape; the message says where and what, in a few words."""


def parse(content: bytes, schema: str, definition: str = "") -> Any:
    """The JSON object in `content`, which has the shape of one of our schemas, or of a definition in it.

    The caller names its type, as it is written for that schema.

    Raises:
        ShapeError: it has not, or it is not JSON that every reader can take (NaN, endless nesting, half characters).
    """
    try:
        document = json.loads(content, parse_constant=_refuse_constant)
        if _SURROGATE.search(content):
            json.dumps(document, ensure_ascii=False).encode()
    except RecursionError as error:
        message = "it is nested too deeply"
        raise ShapeError(message) from error
    except UnicodeError as error:
        message = "it is not UTF-8"
        raise ShapeError(message) from error
    except ValueError as error:
        message = "it is not JSON"
        raise ShapeError(message) from error
    if problem := mistake(document, schema, definition):
        raise ShapeError(problem)
    return dict(document)


def _refuse_constant(name: str) -> None:
    raise ValueError(name)


def mistake(document: object, schema: str, definition: str = "") -> str | None:
    """The first thing that is wrong with data by one of our schemas, as `key.path: what`; None if nothing is."""
    root = _schema(schema)
    definitions = root.get("$defs", {})
    wrong = _check(document, definitions[definition] if definition else root, definitions, 0)
    return wrong and (f"{wrong[1][:80]}: {wrong[0]}" if wrong[1] else wrong[0])


@cache
def _schema(name: str) -> dict[str, Any]:
    path = resources.schemas_dir() / f"{name}.schema.json"
    schema: dict[str, object] = json.loads(path.read_text(encoding="utf-8"))
    return schema


Wrong = tuple[str, str] | None
"""What is wrong, and the dotted path of where; the path is made only when something is."""


def _check(value: Any, schema: Mapping[str, Any], definitions: Mapping[str, Any], depth: int) -> Wrong:
    if "$ref" in schema:
        schema = definitions[schema["$ref"].removeprefix("#/$defs/")]
    if what := _own(value, schema):
        return what, ""
    if depth > _DEPTH:
        return "is nested too deeply", ""
    kind = type(value)
    if kind is dict:
        return _check_object(value, schema, definitions, depth + 1)
    if kind is list:
        items = schema.get("items", {})
        for index, item in enumerate(value):
            if wrong := _check(item, items, definitions, depth + 1):
                return _inside(str(index), wrong)
    return None


def _inside(name: str, wrong: tuple[str, str]) -> Wrong:
    return wrong[0], f"{name}.{wrong[1]}" if wrong[1] else name


def _own(value: Any, schema: Mapping[str, Any]) -> str | None:
    """What is wrong with a value itself, apart from what is in it."""
    kind = type(value)
    if (kind is int and not -_LARGEST < value < _LARGEST) or (kind is float and not -_HUGE < value < _HUGE):
        return "is no number that can be reckoned with"
    if not schema:
        return None
    kinds = schema.get("type", ())
    kinds = (kinds,) if type(kinds) is str else kinds
    if kinds and not any(kind in _TYPES[one] for one in kinds):
        return f"has to be of the type {' or '.join(kinds)}"
    allowed = schema.get("enum") or ([schema["const"]] if "const" in schema else [value])
    if value not in allowed:
        return f"has to be {' or '.join(map(str, allowed))}"
    if kind is str and "pattern" in schema and not re.search(schema["pattern"], value):
        return "has another form"
    if kind in (int, float) and value < schema.get("minimum", value):
        return f"has to be at least {schema['minimum']}"
    if kind is list and len(value) < schema.get("minItems", 0):
        return "is empty"
    return None


def _check_object(
    value: Mapping[str, Any], schema: Mapping[str, Any], definitions: Mapping[str, Any], depth: int
) -> Wrong:
    known, others = schema.get("properties", {}), schema.get("additionalProperties", {})
    for name in (*schema.get("required", ()), *_required_then(value, schema)):
        if name not in value:
            return f"lacks {name}", ""
    for name, item in value.items():
        inside = known.get(name, others)
        if inside is False:
            return "is not known", name
        if wrong := _check(item, inside, definitions, depth):
            return _inside(name, wrong)
    return None


def _required_then(value: Mapping[str, Any], schema: Mapping[str, Any]) -> list[str]:
    """The keys that an `if` on constants asks for."""
    conditions = schema["if"]["properties"] if "if" in schema else {}
    met = conditions and all(value.get(name) == one["const"] for name, one in conditions.items())
    return list(schema["then"]["required"]) if met else []
