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

from runner.recipe.judge.schemas import Validating, Validator, inline, load_schema
from runner.recipe.judge.wording import Finding, findings
from runner.recipe.origins import Found, KeyPath, Origins, found, nearest

LARGEST = 1 << 53
"""Up to here, a number in JSON is the same for everybody who reads it."""
_NO_TEXT = re.compile("[\0\ud800-\udfff]")
Memory = dict[tuple[str, str], tuple[Finding, ...]]
"""Section and its content as JSON -> what is wrong in it; for no section, the names of all that there are."""


def validate(config: Mapping[str, object], origins: Origins, memory: Memory | None = None) -> list[Found]:
    """Check composed values; at most one problem for each key, the most telling one.

    `memory` keeps what was found in sections, for other values that share them.
    """
    names, memory = ("", json.dumps([*config])), {} if memory is None else memory
    if names not in memory:
        memory[names] = tuple(finding for error in _top().iter_errors(config) for finding in findings(error))
    return _most_telling(itertools.chain(memory[names], _in_sections(config, memory)), origins)


def validate_sections(config: Mapping[str, object], origins: Origins) -> list[Found]:
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


def _in_sections(config: Mapping[str, object], memory: Memory) -> Iterator[Finding]:
    for name, value in config.items():
        key = name, json.dumps(value, default=repr)
        if key not in memory:
            memory[key] = tuple(_in_section(name, value))
        yield from memory[key]


def _in_section(name: str, value: object) -> Iterator[Finding]:
    yield from _values(value, (name,))
    for error in _section(name).iter_errors({name: value}):
        yield from findings(error)


def _values(value: object, path: KeyPath) -> Iterator[Finding]:
    """What a schema can't say: numbers are finite and exact, and `???` stands for a value that has to be given."""
    if isinstance(value, dict | list):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _values(item, (*path, key))
    elif isinstance(value, float) and not math.isfinite(value):
        yield Finding(path, f"{value} is not a finite number", rank=0)
    elif isinstance(value, int | float) and abs(value) > LARGEST:
        yield Finding(path, f"{value} is too large", f"allowed: numbers up to {LARGEST}", rank=2)
    elif isinstance(value, str) and (letter := _NO_TEXT.search(value)):
        yield Finding(path, f"holds the character U+{ord(letter[0]):04X}, which no text may have", rank=0)
    elif value == "???":
        yield Finding(path, "`???` stands for a value that the recipe or the command line has to state", rank=0)


def is_name(text: str) -> bool:
    """Whether a recipe can have this name."""
    return _section("name").is_valid({"name": text})


@functools.cache
def _top() -> Validating:
    """Which sections there may be and have to be, whatever they hold."""
    schema = load_schema("recipe.schema.json")
    known: dict[str, object] = {name: {} for name in schema["properties"]}
    return Validator({**schema, "properties": known, "then": {"required": schema["then"]["required"]}})


@functools.cache
def _section(name: str) -> Validating:
    """What the section of a composed recipe has to be."""
    schema = load_schema("recipe.schema.json")
    parts = (part["properties"][name] for part in (schema, schema["then"]) if name in part["properties"])
    rules = [{"properties": {name: inline(part, "recipe.schema.json")}} for part in parts]
    return Validator({"allOf": rules})
