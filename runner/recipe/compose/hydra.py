"""Composition by Hydra, the only module that imports it: documents -> one mapping, override texts -> overrides.

Hydra gets the documents from memory, through its ConfigStore, as `documents` read, checked and rewrote them; it
never opens a file. Its part is the order of the defaults, packages, merging, and the grammar of overrides.
"""

from __future__ import annotations

import contextlib
import copy
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal

from hydra import compose as hydra_compose
from hydra import initialize
from hydra.core.config_store import ConfigStore
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import ChoiceSweep, Glob, RangeSweep, Sweep
from hydra.core.override_parser.types import Override as HydraOverride
from hydra.errors import HydraException
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from runner.base.values import mapping
from runner.base.words import shorten
from runner.errors import Problem, RecipeError, UsageError
from runner.recipe.compose.overrides import MOST_POINTS, Override, Several
from runner.recipe.origins import KeyPath, Origins, dotted, forget, graft
from runner.recipe.read.documents import PRIMARY, Document
from runner.recipe.read.yamlfile import MAX_DEPTH

WHOLE = ("sweep", "select")
"""Sections that replace those of the recipe that is built on, instead of merging with them."""
MOST_VALUES = 1000
"""The longest list of an override."""
MOST_LETTERS = 10_000
"""The longest override."""
MOST_WORDS = 500
"""The most overrides of a command line."""


def parse(texts: Sequence[str]) -> list[Override]:
    """Read overrides in Hydra's grammar.

    Raises:
        UsageError: some are not overrides, or give several values.
    """
    return [one for one in _parsed(texts, several=False) if isinstance(one, Override)]


def parse_sweep(texts: Sequence[str]) -> list[Override | Several]:
    """Read overrides that may give several values, in the grammar of Hydra's sweeps.

    Raises:
        UsageError: some are not overrides.
    """
    return _parsed(texts, several=True)


def _parsed(texts: Sequence[str], *, several: bool) -> list[Override | Several]:
    if len(texts) > MOST_WORDS or sum(text.count(",") for text in texts) > MOST_VALUES * 5:
        what = "too many overrides"
        allowed = f"at most {MOST_WORDS} with {MOST_VALUES * 5} values; write a recipe that states them"
        raise UsageError([Problem("command line", "", what, allowed)])
    parser = OverridesParser.create()
    parsed: list[Override | Several] = []
    problems: list[Problem] = []
    for text in texts:
        try:
            parsed.append(_override(parser, text, several))
        except UsageError as error:
            problems += error.problems
    if problems:
        raise UsageError(problems)
    if sum(len(one.values) for one in parsed if isinstance(one, Several)) > MOST_VALUES * 5:
        raise UsageError([Problem("command line", "", "too many values", f"at most {MOST_VALUES * 5} in all")])
    return parsed


def _override(parser: OverridesParser, text: str, several: bool) -> Override | Several:
    found = _read(parser, text)
    path = tuple(found.key_or_group.split("."))
    if found.package is not None or not all(path) or "/" in found.key_or_group:
        raise _usage(text, "not a key of a recipe", "allowed: a key such as compression.ratio, or a group")
    if len(path) > MAX_DEPTH:
        raise _usage(text, f"a key of {len(path)} parts", f"at most {MAX_DEPTH}")
    if not found.is_sweep_override():
        return Override(text, path, _plain(text, found.value(), len(path)), found.is_delete())
    if not several:
        allowed = "a list is written [a,b]; `ovrun sweep` takes several values"
        raise _usage(text, "several values where one is needed", allowed)
    if found.is_delete():
        raise _usage(text, "several values for a key that is taken out", "allowed: ~key")
    value = found.value()
    if isinstance(value, Glob):
        return Several(text, path, patterns=(tuple(value.include), tuple(value.exclude)))
    return Several(text, path, tuple(_values(text, value, len(path))))


def _read(parser: OverridesParser, text: str) -> HydraOverride:
    """One override by Hydra's parser, whose time grows with the square of a list's length."""
    if len(text) > MOST_LETTERS or text.count(",") > MOST_VALUES:
        limit = f"at most {MOST_LETTERS} letters and {MOST_VALUES} values; write them into a recipe"
        raise _usage(text, "too long for an override", limit)
    try:
        return parser.parse_override(text)
    except (HydraException, RecursionError, ValueError, ArithmeticError) as error:
        said = str(error).splitlines()
        what = f"not an override: {shorten(said[0])}" if said else "not an override"
        raise _usage(text, what, "allowed: key=value, group=preset or ~key") from error


def _values(text: str, value: Sweep, depth: int) -> Iterator[object]:
    """The values that a list or a range stands for, for a key of so many parts."""
    if value.tags or getattr(value, "shuffle", False) or not isinstance(value, ChoiceSweep | RangeSweep):
        what = "tags, shuffle and interval have no meaning here"
        raise _usage(text, what, "allowed: a,b  choice(a,b)  range(start,stop,step)  glob(pattern)")
    if isinstance(value, RangeSweep):
        yield from _range(text, value)
        return
    for item in value.list:
        if isinstance(item, Sweep):
            raise _usage(text, "a range among other values", "write the values out")
        yield _plain(text, HydraOverride._convert_value(item), depth)


def _plain(text: str, value: object, depth: int = 0) -> object:
    """The value as YAML would hold it: the keys of mappings are texts."""
    if depth > MAX_DEPTH:
        raise _usage(text, f"nested more than {MAX_DEPTH} deep")
    if isinstance(value, dict):
        return {_as_key(key): _plain(text, item, depth + 1) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(text, item, depth + 1) for item in value]
    return value


def _as_key(key: object) -> str:
    return key if isinstance(key, str) else json.dumps(key)


def _range(text: str, value: RangeSweep) -> Iterator[float]:
    """From start up to stop, without stop, in decimal steps: range(0.5,0.9,0.1) has four values."""
    start, stop, step = (Decimal(repr(number)) for number in (value.start, value.stop, value.step))
    if not step or not all(number.is_finite() for number in (start, stop, step)):
        raise _usage(text, "a range needs finite numbers, and a step that is not 0")
    count = max(0, math.ceil((stop - start) / step))
    if not count:
        raise _usage(text, "a range without values", "the first value is start, the last is before stop")
    if count > MOST_POINTS:
        raise _usage(text, f"a range of {_number(count)} values", f"at most {MOST_POINTS}")
    whole = all(isinstance(number, int) for number in (value.start, value.stop, value.step))
    for position in range(count):
        number = start + position * step
        yield int(number) if whole else float(number)


def _number(count: int) -> str:
    return str(count) if count < 10**15 else "10^15 and more"


def _usage(text: str, what: str, allowed: str | None = None) -> UsageError:
    return UsageError([Problem(f"command line: {shorten(text)}", "", what, allowed)])


def compose(documents: Sequence[Document]) -> tuple[dict[str, object], Origins]:
    """Compose the documents; interpolations stay as they are written.

    What a recipe says of its points (`sweep`, `select`) is not merged: the last one that says it has the word.

    Returns:
        The composed values, and the place of each.

    Raises:
        RecipeError: the documents don't fit each other.
    """
    by_key = {document.key: document for document in documents}
    ordered = list(in_order(by_key, PRIMARY))
    _same_kinds(ordered)
    lists: list[object] = []
    with _stored(documents, lists), initialize(version_base="1.3", config_path=None):
        try:
            composed = _unfolded(OmegaConf.to_container(hydra_compose(PRIMARY), resolve=False), lists)
        except (HydraException, OmegaConfBaseException) as error:
            where = by_key[PRIMARY].file.origins[()].where
            raise RecipeError([Problem(where, "defaults", " ".join(str(error).split()))]) from error
    values = mapping(composed)
    for name in WHOLE:
        if (last := _last(ordered, name)) and last.body[name] is not None:
            values[name] = copy.deepcopy(last.body[name])
    return values, _origins(ordered, by_key[PRIMARY])


def _last(ordered: Sequence[Document], name: str) -> Document | None:
    """The document that has the last word on a section that is not merged."""
    return next((document for document in reversed(ordered) if not document.prefix and name in document.body), None)


def in_order(documents: Mapping[str, Document], key: str) -> Iterator[Document]:
    """A document and all that its defaults name, as Hydra merges them: the later ones win."""
    group = key.rpartition("/")[0]
    for entry in documents[key].defaults:
        if entry == "_self_":
            yield documents[key]
        elif isinstance(entry, str):
            yield from in_order(documents, f"{group}/{entry}" if group else entry)
        else:
            ((name, options),) = mapping(entry).items()
            for option in options if isinstance(options, list) else [options]:
                yield from in_order(documents, f"{name.lstrip('/')}/{option}")


@contextlib.contextmanager
def _stored(documents: Sequence[Document], lists: list[object]) -> Iterator[None]:
    """The documents in Hydra's store while the block runs, their lists folded into `lists`."""
    store = ConfigStore.instance()
    before = store.repo
    store.repo = dict(before)
    try:
        for document in documents:
            group, _, name = document.key.rpartition("/")
            body = {name: value for name, value in document.body.items() if document.prefix or name not in WHOLE}
            node = {"defaults": list(document.defaults), **mapping(_folded(body, lists))}
            store.store(name, node, group=group or None, package=document.package or None)
        yield
    finally:
        store.repo = before


def _folded(value: object, lists: list[object]) -> object:
    """The value with bytes, which YAML can't state, in place of lists: they don't merge, and slow Hydra down."""
    if isinstance(value, list):
        lists.append(value)
        return str(len(lists) - 1).encode()
    return {key: _folded(item, lists) for key, item in value.items()} if isinstance(value, Mapping) else value


def _unfolded(value: object, lists: Sequence[object]) -> object:
    if isinstance(value, bytes):
        return copy.deepcopy(lists[int(value)])
    return {key: _unfolded(item, lists) for key, item in value.items()} if isinstance(value, dict) else value


def _origins(ordered: Sequence[Document], primary: Document) -> Origins:
    origins: Origins = {}
    for document in ordered:
        stated = document.file.origins.items()
        for name in (name for name in WHOLE if not document.prefix and name in document.body):
            forget(origins, (name,))
        inside = {path: place for path, place in stated if (path[0] in document.body if path else document.prefix)}
        graft(origins, inside, document.prefix)
    origins[()] = primary.file.origins[()]
    return origins


def _same_kinds(ordered: Sequence[Document]) -> None:
    """Hydra can't merge a list with a mapping: say where the two are."""
    seen: dict[KeyPath, tuple[type, str]] = {}
    problems = []
    for document in ordered:
        inside = [((), dict)] if document.prefix else []
        body = {name: value for name, value in document.body.items() if document.prefix or name not in WHOLE}
        for path, kind in [*inside, *_kinds(body, ())]:
            origin = document.file.origins[path]
            at = document.prefix + path
            before = seen.get(at)
            if before and before[0] is not kind:
                what = f"{_KINDS[kind]} here and {_KINDS[before[0]]} in {before[1]}"
                problems.append(Problem(origin.where, dotted(at), what, "both have to be of one kind"))
            seen[at] = (kind, origin.where)
    if problems:
        raise RecipeError(problems)


_KINDS: Mapping[type, str] = {dict: "a mapping", list: "a list"}


def _kinds(value: Mapping[str, object], path: KeyPath) -> Iterator[tuple[KeyPath, type]]:
    for key, item in value.items():
        if isinstance(item, dict | list):
            yield (*path, key), type(item)
        if isinstance(item, dict):
            yield from _kinds(item, (*path, key))
