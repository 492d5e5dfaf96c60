"""The schema of a dataset: which formats there are, and which keys each has a use for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from runner import embedded
from runner.base.values import Schema
from runner.registry.formats import KEYS, OF_HUB, DataFormat
from runner.registry.words import listed

Formats = Iterable[DataFormat]

_MADE = "made of the formats"
_NO_COLUMN = (
    "names no column; give `column` for text, `prompt` and `reply` for questions with known answers, "
    "or `columns` for any roles"
)
_SUFFIX = "Its suffix tells the format, unless `format` does"
_COLUMNS = ("columns", "labels", "preprocess")
"""Of rows and of arrays alike."""
_USELESS = {
    "text": ("a text has no columns", _COLUMNS),
    "task": ("a task file says itself what its rows are", (*_COLUMNS, "where", "shuffle", "seed")),
}
"""Shape -> the keys that it has no use for, and why."""


def dataset(schema: Schema, formats: Formats) -> Schema:
    """The schema of a dataset for these formats."""
    formats = list(formats)
    suffixes = listed([f".{one.name}" for one in formats if not one.folder], "or")
    path = schema["properties"]["path"] | {
        "description": f"The file, or the folder; relative to the file that states it. {_SUFFIX}: {suffixes}.",
    }
    kind = schema["properties"]["format"] | {
        "description": "What the file or folder is, where its suffix doesn't tell. "
        + " ".join(f"{one.name}: {one.help}." for one in formats),
        "enum": [one.name for one in formats],
    }
    source = schema["properties"]["source"]
    told = "file: a file or a folder. embedded: data that travel with ovrun. huggingface: a dataset of the hub."
    properties = schema["properties"] | {"path": path, "format": kind, "source": source | {"description": told}}
    complete = schema["$defs"]["complete"]
    needed = complete | {"allOf": [*_kept(complete), *_needed(formats)]}
    definitions = schema["$defs"] | {"complete": needed} | dict(_refusals(formats))
    rules = [*_kept(schema), _suffixed(formats, suffixes), *_useless(formats)]
    return schema | {"properties": properties, "allOf": rules, "$defs": definitions}


def _suffixed(formats: Formats, suffixes: str) -> Schema:
    """A file without a stated format has a suffix that tells it."""
    folders = listed([one.name for one in formats if one.folder], "or")
    allowed = f"a file that ends in {suffixes}" + (f"; of a folder, `format` says {folders}" if folders else "")
    path = {"pattern": _pattern(formats), "x-allowed": allowed}
    unsaid = {"properties": {"source": {"const": "file"}}, "required": ["source"], "not": {"required": ["format"]}}
    return {"$comment": _MADE, "if": unsaid, "then": {"properties": {"path": path}}}


def _kept(schema: Schema) -> list[Schema]:
    """The rules that are not about formats."""
    return [rule for rule in schema["allOf"] if rule.get("$comment") != _MADE]


def _pattern(formats: Formats) -> str:
    return rf"\.({'|'.join(one.name for one in formats if not one.folder)})$"


def _of(formats: Formats) -> Schema:
    """A dataset of one of these formats."""
    ids = [name for name, path in embedded.DATASETS.items() if path.suffix in {f".{one.name}" for one in formats}]
    by_path = {
        "properties": {"path": {"type": "string", "pattern": _pattern(formats)}},
        "required": ["path"],
        "not": {"required": ["format"]},
    }
    by_id = {"properties": {"id": {"enum": ids}}, "required": ["id"]}
    stated = {"properties": {"format": {"enum": [one.name for one in formats]}}, "required": ["format"]}
    hub = {"properties": {"source": {"const": "huggingface"}}, "required": ["source"]}
    of_hub = [hub] if any(one.name == OF_HUB for one in formats) else []
    return {"anyOf": [by_path, stated, *([by_id] if ids else []), *of_hub]}


def _shapes(formats: Formats) -> Iterator[tuple[str, list[DataFormat], list[DataFormat]]]:
    """Each shape that has keys of its own, its formats and the others."""
    for shape, keys in KEYS.items():
        if keys:
            yield shape, [one for one in formats if one.shape == shape], [one for one in formats if one.shape != shape]


def _useless(formats: Formats) -> Iterator[Schema]:
    """Keys that a format has no use for."""
    for kind, (why, useless) in _USELESS.items():
        refused = {"not": {}, "errorMessage": why}
        of_kind = _of([one for one in formats if one.shape == kind])
        yield {"$comment": _MADE, "if": of_kind, "then": {"properties": dict.fromkeys(useless, refused)}}
    whole = [one for one in formats if not one.splits]
    unsplit = {"not": {}, "errorMessage": f"only for {listed([one.name for one in formats if one.splits], 'and')}"}
    yield {"$comment": _MADE, "if": _of(whole), "then": {"properties": {"split": unsplit}}}
    for shape, _, others in _shapes(formats):
        keys = {key: {"$ref": f"#/$defs/{shape}_only"} for key in KEYS[shape]}  # type: ignore[index]
        yield {"$comment": _MADE, "if": _of(others), "then": {"properties": keys}}


def _refusals(formats: Formats) -> Iterator[tuple[str, Schema]]:
    for shape, own, _ in _shapes(formats):
        names = ", ".join(sorted(one.name for one in own if not one.folder))
        yield f"{shape}_only", {"not": {}, "errorMessage": f"only for {shape} ({names})"}


def _needed(formats: Formats) -> Iterator[Schema]:
    """Keys without which a format gives nothing."""
    rows = [one for one in formats if one.shape == "rows" and not one.roles]
    named = [*_COLUMNS[:2], *KEYS["rows"]]
    columns = {"anyOf": [{"required": [key]} for key in named], "errorMessage": _NO_COLUMN}
    yield {"$comment": _MADE, "if": _of(rows), "then": columns}
    arrays = [one for one in formats if one.shape == "arrays" and one.name != "npy"]
    yield {"$comment": _MADE, "if": _of(arrays), "then": {"required": ["inputs"]}}
