"""The schema of a dataset: which formats there are, and which keys each has a use for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from runner import embedded
from runner.base.values import Schema
from runner.registry.formats import KEYS, DataFormat
from runner.registry.words import listed

Formats = Iterable[DataFormat]

_MADE = "made of the formats"
_NO_COLUMN = (
    "names no column; give `column` for text, `prompt` and `reply` for questions with known answers, "
    "or `columns` for any roles"
)
_COLUMNS = "columns"
"""Of rows and of arrays alike: role -> column or array."""


def dataset(schema: Schema, formats: Formats) -> Schema:
    """The schema of a dataset for these formats."""
    formats = list(formats)
    suffixes = listed([f".{one.name}" for one in formats], "or")
    path = schema["properties"]["path"] | {
        "description": f"The file; relative to the file that states it. Its suffix tells the format: {suffixes}.",
        "pattern": _pattern(formats),
        "x-allowed": f"a file that ends in {suffixes}",
    }
    source = schema["properties"]["source"]
    told = f"file: a {listed([one.name for one in formats], 'or')} file. embedded: data that travel with ovrun."
    properties = schema["properties"] | {"path": path, "source": source | {"description": told}}
    complete = schema["$defs"]["complete"]
    needed = complete | {"allOf": [*_kept(complete), *_needed(formats)]}
    definitions = schema["$defs"] | {"complete": needed} | dict(_refusals(formats))
    return schema | {"properties": properties, "allOf": [*_kept(schema), *_useless(formats)], "$defs": definitions}


def _kept(schema: Schema) -> list[Schema]:
    """The rules that are not about formats."""
    return [rule for rule in schema["allOf"] if rule.get("$comment") != _MADE]


def _pattern(formats: Formats) -> str:
    return rf"\.({'|'.join(one.name for one in formats)})$"


def _of(formats: Formats) -> Schema:
    """A dataset of one of these formats."""
    ids = [name for name, path in embedded.DATASETS.items() if path.suffix in {f".{one.name}" for one in formats}]
    by_path = {"properties": {"path": {"type": "string", "pattern": _pattern(formats)}}, "required": ["path"]}
    by_id = {"properties": {"id": {"enum": ids}}, "required": ["id"]}
    return {"anyOf": [by_path, by_id]} if ids else by_path


def _shapes(formats: Formats) -> Iterator[tuple[str, list[DataFormat], list[DataFormat]]]:
    """Each shape that has keys of its own, its formats and the others."""
    for shape, keys in KEYS.items():
        if keys:
            yield shape, [one for one in formats if one.shape == shape], [one for one in formats if one.shape != shape]


def _useless(formats: Formats) -> Iterator[Schema]:
    """Keys that a format has no use for."""
    texts = [one for one in formats if one.shape == "text"]
    refused = {"not": {}, "errorMessage": "a text has no columns"}
    yield {"$comment": _MADE, "if": _of(texts), "then": {"properties": {_COLUMNS: refused}}}
    for shape, _, others in _shapes(formats):
        keys = {key: {"$ref": f"#/$defs/{shape}_only"} for key in KEYS[shape]}  # type: ignore[index]
        yield {"$comment": _MADE, "if": _of(others), "then": {"properties": keys}}


def _refusals(formats: Formats) -> Iterator[tuple[str, Schema]]:
    for shape, own, _ in _shapes(formats):
        names = ", ".join(one.name for one in own)
        yield f"{shape}_only", {"not": {}, "errorMessage": f"only for {shape} ({names})"}


def _needed(formats: Formats) -> Iterator[Schema]:
    """Keys without which a format gives nothing."""
    for shape, own, _ in _shapes(formats):
        named = [_COLUMNS, *(key for key in KEYS["rows"] if key != "image")]
        columns = {"anyOf": [{"required": [key]} for key in named], "errorMessage": _NO_COLUMN}
        yield {"$comment": _MADE, "if": _of(own), "then": columns if shape == "rows" else {"required": ["inputs"]}}
