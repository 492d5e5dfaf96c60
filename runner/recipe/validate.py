"""Composed values against the JSON Schemas: every mistake at once, as worded problems."""

from __future__ import annotations

import dataclasses
import functools
import json
import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

from jsonschema import Draft202012Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from runner import resources
from runner.recipe.origins import Found, KeyPath, Origins, found, nearest
from runner.recipe.wording import Finding, findings


def validate(config: Mapping[str, Any], origins: Origins) -> list[Found]:
    """Check composed values; at most one problem for each key, the most telling one."""
    told: dict[KeyPath, Finding] = {}
    for finding in _all(config):
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


def _all(config: Mapping[str, Any]) -> Iterator[Finding]:
    yield from _values(config, ())
    for error in _validator().iter_errors(config):
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


NAME_PATTERN = re.compile(r"^[a-z0-9][a-z0-9._-]{0,63}$")
"""Names of recipes, as recipe.schema.json has it."""


@functools.cache
def _validator() -> Draft202012Validator:
    registry: Registry[Any] = Registry(retrieve=_retrieve)  # type: ignore[call-arg]
    return Draft202012Validator(load_schema("recipe.schema.json"), registry=registry)


def _retrieve(uri: str) -> Resource[Any]:
    return Resource.from_contents(load_schema(uri), default_specification=DRAFT202012)


@functools.cache
def load_schema(name: str) -> dict[str, Any]:
    """One schema file by its name, such as `compression.schema.json`."""
    schema: dict[str, Any] = json.loads((resources.schemas_dir() / name).read_text(encoding="utf-8"))
    return schema
