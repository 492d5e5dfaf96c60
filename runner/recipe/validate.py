"""Composed values against the JSON Schemas: every mistake at once, as worded problems.

Each section is held against its own part of the schema, so that what was found in one can be remembered: the points
of a sweep differ in few of their sections.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from jsonschema import Draft202012Validator

from runner import resources
from runner.recipe.origins import Found, KeyPath, Origins, found, nearest
from runner.recipe.wording import Finding, findings

Memory = dict[tuple[str, str], tuple[Finding, ...]]
"""Section and its content as JSON -> what is wrong in it; for no section, the names of all that there are."""


def validate(config: Mapping[str, Any], origins: Origins, memory: Memory | None = None) -> list[Found]:
    """Check composed values; at most one problem for each key, the most telling one.

    `memory` keeps what was found in sections, for other values that share them.
    """
    names, memory = ("", json.dumps([*config])), {} if memory is None else memory
    if names not in memory:
        memory[names] = tuple(finding for error in _top().iter_errors(config) for finding in findings(error))
    return _most_telling(itertools.chain(memory[names], _in_sections(config, memory)), origins)


def validate_sections(config: Mapping[str, Any], origins: Origins) -> list[Found]:
    """Check what sections hold, whatever else a whole recipe would need."""
    return _most_telling(_in_sections(config, {}), origins)


def _most_telling(found: Iterable[Finding], origins: Origins) -> list[Found]:
    told: dict[KeyPath, Finding] = {}
    for finding in found:
        known = told.get(finding.path)
        if known is None or finding.rank < known.rank:
            told[finding.path] = finding
    return [place(finding, origins) for finding in told.values()]


def place(finding: Finding, origins: Origins) -> Found:
    """The finding as a problem at its place: that of its key when the key itself is wrong."""
    origin = nearest(origins, finding.path)
    if finding.about_key:
        origin = dataclasses.replace(origin, where=origin.key_where)
    return found(finding.path, origin, finding.what, finding.allowed, finding.suggestion)


def _in_sections(config: Mapping[str, Any], memory: Memory) -> Iterator[Finding]:
    for name, value in config.items():
        key = name, json.dumps(value, default=repr)
        if key not in memory:
            memory[key] = tuple(_in_section(name, value))
        yield from memory[key]


def _in_section(name: str, value: Any) -> Iterator[Finding]:
    yield from _values(value, (name,))
    for error in _section(name).iter_errors({name: value}):
        yield from findings(error)


def _values(value: Any, path: KeyPath) -> Iterator[Finding]:
    """What a schema can't say: numbers are finite, and `???` stands for a value that has to be given."""
    if isinstance(value, dict | list):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _values(item, (*path, key))
    elif isinstance(value, float) and not math.isfinite(value):
        yield Finding(path, f"{value} is not a finite number", rank=0)
    elif value == "???":
        yield Finding(path, "`???` stands for a value that the recipe or the command line has to state", rank=0)


NAME_PATTERN = re.compile(r"^[a-z0-9][a-z0-9._-]{0,199}$")
"""Names of recipes, as recipe.schema.json has it."""


@functools.cache
def _top() -> Draft202012Validator:
    """Which sections there may be and have to be, whatever they hold."""
    schema = load_schema("recipe.schema.json")
    known: dict[str, Any] = {name: {} for name in schema["properties"]}
    return Draft202012Validator({**schema, "properties": known, "then": {"required": schema["then"]["required"]}})


@functools.cache
def _section(name: str) -> Draft202012Validator:
    """What the section of a composed recipe has to be."""
    schema = load_schema("recipe.schema.json")
    parts = (part["properties"][name] for part in (schema, schema["then"]) if name in part["properties"])
    rules = [{"properties": {name: inline(part, "recipe.schema.json")}} for part in parts]
    return Draft202012Validator({"allOf": rules})


def inline(schema: Any, file: str) -> Any:
    """A schema of a file with what its `$ref`s point to in their place: three times as fast to check against."""
    if isinstance(schema, list):
        return [inline(part, file) for part in schema]
    if not isinstance(schema, dict):
        return schema
    kept = {key: inline(part, file) for key, part in schema.items() if key not in ("$ref", "$defs", "$id")}
    if "$ref" not in schema:
        return kept
    other, _, pointer = schema["$ref"].partition("#")
    target: Any = load_schema(other or file)
    for part in pointer.strip("/").split("/") if pointer else ():
        target = target[part]
    return {**inline(target, other or file), **kept}


@functools.cache
def load_schema(name: str) -> dict[str, Any]:
    """One schema file by its name, such as `compression.schema.json`."""
    schema: dict[str, Any] = json.loads((resources.schemas_dir() / name).read_text(encoding="utf-8"))
    return schema
