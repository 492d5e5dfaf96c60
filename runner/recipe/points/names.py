"""The names of a sweep's points, made of nothing but their settings: `grid--mode-int4_sym--ratio-0.6`.

A part for each setting, in the order of the schemas, whatever the order in which the sweep lists its keys. Different
settings never get one name: what can't be written plainly, or is too long, gets a digest.
"""

from __future__ import annotations

import functools
import hashlib
import json
import re
from collections import Counter
from collections.abc import Mapping

from runner.base.values import plain
from runner.recipe.read.documents import GROUPS
from runner.recipe.read.scalars import scalar

LONGEST = 200
"""Characters of a name; with room for suffixes within the 255 bytes that file systems allow."""

_COMPRESSION = ("weight_compression.schema.json", "quantization.schema.json", "nncf_legacy.schema.json")
_DIGITS = 12
_LONGEST_VALUE = 40
_PLAIN = re.compile(r"[a-z0-9_]+([.-][a-z0-9_]+)*")
_PLAIN_KEY = re.compile(r"[a-z0-9_]+(\.[a-z0-9_]+)*")
_LIKE_A_DIGEST = re.compile(rf"\.[0-9a-f]{{{_DIGITS}}}$")


def point_name(base: str, settings: Mapping[str, object]) -> str:
    """The name of the point with these settings in the sweep called `base`."""
    parts = [_part(key, settings[key]) for key in sorted(settings, key=_rank)]
    name = "--".join([base, *parts])
    if len(name) <= LONGEST:
        return name
    digest = _digest({"base": base, "settings": {key: plain(value) for key, value in settings.items()}})
    kept, room = [base[: LONGEST // 2]], LONGEST - len(digest) - 2
    for part in parts:
        if len("--".join([*kept, part])) > room:
            break
        kept.append(part)
    return "--".join([*kept, digest])


def suffix(name: str, base: str) -> str:
    """What tells a point from the others of its sweep: `--mode-int4_sym--ratio-0.6`."""
    return name.removeprefix(base) or name


@functools.lru_cache(maxsize=100_000)
def _rank(key: str) -> tuple[int, str]:
    """Keys come in the order of the schemas; items of a list by their numbers."""
    section = GROUPS.get(key, key)
    known = ".".join(part for part in section.split(".") if not part.isdecimal())
    return _order().get(known, len(_order())), re.sub(r"\d+", lambda match: match[0].zfill(6), key)


@functools.cache
def _order() -> dict[str, int]:
    """Sections, and the keys directly in them, as the schemas list them."""
    from runner.recipe.judge.schemas import load_schema

    keys: dict[str, None] = {}
    for section, schema in load_schema("recipe.schema.json")["properties"].items():
        keys[section] = None
        files = _COMPRESSION if section == "compression" else [schema["$ref"]] if "$ref" in schema else []
        for file in files:
            keys |= {f"{section}.{key}": None for key in load_schema(file).get("properties", ())}
    return {key: rank for rank, key in enumerate(keys)}


@functools.cache
def _ambiguous() -> frozenset[str]:
    """What keys of several sections are called."""
    counted = Counter(key.rpartition(".")[2] for key in _order())
    return frozenset(last for last, count in counted.items() if count > 1)


def _part(key: str, value: object) -> str:
    """`ratio-0.6`: the key, its last part where no other section has that, and its value."""
    last = key.rpartition(".")[2]
    short = last if key.count(".") == 1 and key in _order() and last not in _ambiguous() else key
    return f"{short if _PLAIN_KEY.fullmatch(short) else _marked(short)}-{_text(value)}"


def _text(value: object) -> str:
    """A value as a part of a file name, from which it can be told again, or with a digest."""
    value = plain(value)
    if isinstance(value, str):
        written = value
        safe = _PLAIN.fullmatch(value) and isinstance(scalar(value), str) and not _LIKE_A_DIGEST.search(value)
    else:
        written = json.dumps(value, sort_keys=True, ensure_ascii=False).replace("e+", "e")
        safe = not isinstance(value, list | dict)
    return written if safe and len(written) <= _LONGEST_VALUE else _marked(written, json.dumps(value, sort_keys=True))


def _marked(text: str, whole: str | None = None) -> str:
    """The start of a text in safe characters, and a digest of the whole."""
    start = re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")[:20].strip("_")
    return f"{start or 'value'}.{_digest(text if whole is None else whole)}"


def _digest(value: object) -> str:
    text = json.dumps(value, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:_DIGITS]
