"""Every key of a recipe, read off the JSON Schemas: meaning, allowed values, default, what it needs, and its source.

`python -m runner.recipe.keys.reference > docs/reference.md` writes the reference page.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from runner.base.values import Schema, inside, mapping
from runner.recipe.judge import wording
from runner.recipe.judge.schemas import load_schema
from runner.recipe.keys.needs import Rules, needs

ANY = "NAME"
"""Stands in a key for a name that the recipe chooses, as in `datasets.NAME.path`."""
OWN = "ovrun"
"""The source of keys that stand for nothing of a library."""


_Sentences = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class Entry:
    """One key of a recipe.

    Attributes:
        key: dotted, without the numbers of list items: `accuracy.checks.metric`.
        algorithm: the compression algorithm that gives the key this meaning, where there are several.
        allowed: the allowed values, in words.
        default: as JSON; None where the schema states none.
        needs: the rules that tie it to other keys: what else has to be there, what it does not go together with.
        source: the function or class whose parameter it is, or `ovrun`.
    """

    key: str
    algorithm: str | None
    description: str
    allowed: str
    default: str | None
    examples: tuple[str, ...]
    needs: tuple[str, ...]
    source: str


@dataclass(frozen=True)
class _Node:
    """A schema with its references resolved, and where it stands: file, and name among the file's `$defs`."""

    schema: Schema
    file: str
    name: str = ""


@functools.cache
def _load(file: str) -> Schema:
    """A schema file, in which every `$ref` names its file, so that a part of it can be read anywhere."""
    text = json.dumps(load_schema(file))
    schema: Schema = json.loads(text.replace('"$ref": "#', f'"$ref": "{file}#'))
    return schema


def _resolve(schema: Schema, file: str, name: str = "") -> _Node:
    """Follow `$ref`; what stands beside it comes before what it points to."""
    while isinstance(schema, Mapping) and "$ref" in schema:
        other, _, pointer = schema["$ref"].partition("#")
        file = other or file
        target = inside(_load(file), pointer.strip("/").split("/") if pointer else ())
        name = pointer.rpartition("/")[2]
        schema = {**mapping(target), **{key: value for key, value in schema.items() if key != "$ref"}}
    return _Node(schema, file, name)


@functools.cache
def entries() -> tuple[Entry, ...]:
    """All keys, in the order of the schemas."""
    found: dict[tuple[str, str | None], Entry] = {}
    for entry in _walk(_resolve({"$ref": "recipe.schema.json"}, ""), "", None, OWN):
        found.setdefault((entry.key, entry.algorithm), entry)
    return tuple(found.values())


def _walk(
    node: _Node, key: str, algorithm: str | None, source: str, given: _Sentences | None = None
) -> Iterator[Entry]:
    """The keys below a value; `source` is that of the value, `given` what rules above it say of them."""
    for shape, variant in _shapes(node):
        below = shape.schema.get("x-source", source)
        told = {**(given or {}), **_needs(shape)}
        for name, schema in shape.schema["properties"].items():
            if variant and name == "algorithm":
                continue
            child = _resolve(schema, shape.file, shape.name)
            entry = _entry(child, f"{key}{name}", variant or algorithm, told.get(name, ()), below)
            yield entry
            inner = f"{entry.key}.{ANY}." if _named(child) else f"{entry.key}."
            deeper = {path.partition(".")[2]: said for path, said in told.items() if path.startswith(f"{name}.")}
            yield from _walk(child, inner, entry.algorithm, entry.source, deeper)


def _named(node: _Node) -> bool:
    """Whether a mapping holds mappings under names that the recipe chooses."""
    values = node.schema.get("additionalProperties")
    return isinstance(values, dict) and "$ref" in values


def _shapes(node: _Node) -> Iterator[tuple[_Node, str | None]]:
    """The mappings that a value can be or hold as items, each with the algorithm that it belongs to."""
    if "properties" in node.schema:
        yield node, None
    for keyword in ("items", "additionalProperties", "else", "then"):
        inner = node.schema.get(keyword)
        if isinstance(inner, dict) and (child := _below(inner, node)):
            yield from _shapes(child)
    for rule in node.schema.get("allOf", ()):
        if isinstance(rule.get("then"), dict) and (child := _below(rule["then"], node)):
            yield from ((shape, shape.schema["title"]) for shape, _ in _shapes(child))


def _below(schema: Schema, node: _Node) -> _Node | None:
    """The schema as a node if it describes a value, and not only adds a rule to one that is described elsewhere."""
    child = _resolve(schema, node.file, node.name)
    if "$ref" in schema:
        described = child.schema.get("type") == "object" or child.schema.get("additionalProperties") is False
        return child if described and "properties" in child.schema else None
    return child if "properties" not in schema else None


def _needs(shape: _Node) -> _Sentences:
    completed = _load(shape.file).get("$defs", {}).get(f"complete_{shape.name}" if shape.name else "complete", {})
    rules = Rules(shape.schema["properties"], lambda schema: _resolve(schema, shape.file).schema)
    return needs([shape.schema, completed], rules)


def _entry(node: _Node, key: str, algorithm: str | None, told: tuple[str, ...], source: str) -> Entry:
    schema = node.schema
    annotated = schema.get("x-needs", ())
    return Entry(
        key=key,
        algorithm=algorithm,
        description=_description(schema),
        allowed=_allowed(schema),
        default=_value(schema["default"]) if "default" in schema else None,
        examples=tuple(map(_value, schema.get("examples", ()))),
        needs=(*told, *(f"needs {what}" for what in ([annotated] if isinstance(annotated, str) else annotated))),
        source=schema.get("x-source", source),
    )


def _description(schema: Schema) -> str:
    if "description" in schema or "errorMessage" not in schema:
        return str(schema.get("description", ""))
    start = "Refused" if schema.get("not") == {} else f"Refused as {_value(schema.get('not', {}).get('const'))}"
    return f"{start}: {schema['errorMessage']}."


def _allowed(schema: Schema) -> str:
    if schema.get("not") == {}:
        return "nothing"
    if "const" in schema:
        return _value(schema["const"])
    if words := wording.allowed(schema):
        return words.removeprefix("allowed: ")
    return f"not {_value(schema['not']['const'])}" if "const" in schema.get("not", {}) else "anything"


def _value(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def sections() -> list[str]:
    """The keys at the top of a recipe."""
    return list(dict.fromkeys(entry.key.split(".")[0] for entry in entries()))


def algorithms() -> list[str]:
    """The algorithms by which keys of `compression` differ."""
    return list(dict.fromkeys(entry.algorithm for entry in entries() if entry.algorithm))
