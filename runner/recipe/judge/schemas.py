"""The schema files, and the validator that holds values against them."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable, Iterator
from typing import Protocol

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError
from jsonschema.validators import extend

from runner.base import resources
from runner.base.distributions import entry_points
from runner.base.values import Schema, inside, mapping, plain


@functools.cache
def load_schema(name: str) -> Schema:
    """One schema file by its name, such as `compression.schema.json`, with what other packages declare."""
    schema: Schema = json.loads((resources.schemas_dir() / name).read_text(encoding="utf-8"))
    if not entry_points("ovrun."):
        return schema
    from runner.registry.schemas import complete

    return complete(name, schema)


def inline(schema: object, file: str) -> object:
    """A schema of a file with what its `$ref`s point to in their place: three times as fast to check against."""
    if isinstance(schema, list):
        return [inline(part, file) for part in schema]
    if not isinstance(schema, dict):
        return schema
    kept = {key: inline(part, file) for key, part in schema.items() if key not in ("$ref", "$defs", "$id")}
    if "$ref" not in schema:
        return kept
    other, _, pointer = schema["$ref"].partition("#")
    target = inside(load_schema(other or file), pointer.strip("/").split("/") if pointer else ())
    return {**mapping(inline(target, other or file)), **kept}


@functools.cache
def pattern(text: str) -> re.Pattern[str]:
    """A schema's pattern as ECMA-262 has it: `$` is the end, not a line break before it; `\\w` is ASCII."""
    return re.compile(re.sub(r"(?<!\\)\$", r"\\Z", text), re.ASCII)


def _fits(validator: object, wanted: str, instance: object, schema: object) -> Iterator[ValidationError]:
    if isinstance(instance, str) and not pattern(wanted).search(instance):
        yield ValidationError(f"{instance[:60]!r} does not fit")


def _unique(validator: object, wanted: bool, instance: object, schema: object) -> Iterator[ValidationError]:
    """Equal items, found in a time that grows with their number, not with its square."""
    if wanted and isinstance(instance, list):
        tokens = {json.dumps(plain(item), sort_keys=True) for item in instance}
        if len(tokens) < len(instance):
            yield ValidationError("has equal items")


class Validating(Protocol):
    """A validator of a schema."""

    def iter_errors(self, instance: object) -> Iterator[ValidationError]:
        """What is wrong with an instance."""

    def is_valid(self, instance: object) -> bool:
        """Whether nothing is."""


_extend: Callable[..., Callable[[object], Validating]] = extend
Validator = _extend(Draft202012Validator, {"pattern": _fits, "uniqueItems": _unique})
"""Draft 2020-12, with patterns as other languages read them."""
