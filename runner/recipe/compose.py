"""Composition by Hydra, the only module that imports it: documents -> one mapping, override texts -> overrides.

Hydra gets the documents from memory, through its ConfigStore, as `documents` read, checked and rewrote them; it
never opens a file. Its part is the order of the defaults, packages, merging, and the grammar of overrides.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

from hydra import compose as hydra_compose
from hydra import initialize
from hydra.core.config_store import ConfigStore
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from runner.errors import Problem, RecipeError, UsageError
from runner.recipe.documents import PRIMARY, Document
from runner.recipe.origins import KeyPath, Origins, dotted, graft
from runner.recipe.overrides import Override


def parse(texts: Sequence[str]) -> list[Override]:
    """Read overrides in Hydra's grammar.

    Raises:
        UsageError: some are not overrides, or give several values.
    """
    parser = OverridesParser.create()
    overrides: list[Override] = []
    problems: list[Problem] = []
    for text in texts:
        try:
            overrides.append(_override(parser, text))
        except UsageError as error:
            problems += error.problems
    if problems:
        raise UsageError(problems)
    return overrides


def _override(parser: OverridesParser, text: str) -> Override:
    try:
        found = parser.parse_override(text)
    except (HydraException, RecursionError) as error:
        what = f"not an override: {str(error).splitlines()[0]}" if str(error) else "not an override"
        raise _usage(text, what, "allowed: key=value, group=preset or ~key") from error
    if found.is_sweep_override():
        raise _usage(text, "several values where one is needed", "a list is written [a,b]")
    path = tuple(found.key_or_group.split("."))
    if found.package is not None or not all(path) or "/" in found.key_or_group:
        raise _usage(text, "not a key of a recipe", "allowed: a key such as compression.ratio, or a group")
    return Override(text, path, found.value(), found.is_delete())


def _usage(text: str, what: str, allowed: str) -> UsageError:
    return UsageError([Problem(f"command line: {text}", "", what, allowed)])


def compose(documents: Sequence[Document]) -> tuple[dict[str, Any], Origins]:
    """Compose the documents; interpolations stay as they are written.

    Returns:
        The composed values, and the place of each.

    Raises:
        RecipeError: the documents don't fit each other.
    """
    by_key = {document.key: document for document in documents}
    ordered = list(in_order(by_key, PRIMARY))
    _same_kinds(ordered)
    with _stored(documents), initialize(version_base="1.3", config_path=None):
        try:
            composed = OmegaConf.to_container(hydra_compose(PRIMARY), resolve=False)
        except (HydraException, OmegaConfBaseException) as error:
            where = by_key[PRIMARY].file.origins[()].where
            raise RecipeError([Problem(where, "defaults", " ".join(str(error).split()))]) from error
    return cast("dict[str, Any]", composed), _origins(ordered, by_key[PRIMARY])


def in_order(documents: Mapping[str, Document], key: str) -> Iterator[Document]:
    """A document and all that its defaults name, as Hydra merges them: the later ones win."""
    group = key.rpartition("/")[0]
    for entry in documents[key].defaults:
        if entry == "_self_":
            yield documents[key]
        elif isinstance(entry, str):
            yield from in_order(documents, f"{group}/{entry}" if group else entry)
        else:
            ((name, options),) = entry.items()
            for option in options if isinstance(options, list) else [options]:
                yield from in_order(documents, f"{name.lstrip('/')}/{option}")


@contextlib.contextmanager
def _stored(documents: Sequence[Document]) -> Iterator[None]:
    """The documents in Hydra's store while the block runs."""
    store = ConfigStore.instance()
    before = store.repo
    store.repo = dict(before)
    try:
        for document in documents:
            group, _, name = document.key.rpartition("/")
            node = {"defaults": list(document.defaults), **document.body}
            store.store(name, node, group=group or None, package=document.package or None)
        yield
    finally:
        store.repo = before


def _origins(ordered: Sequence[Document], primary: Document) -> Origins:
    origins: Origins = {}
    for document in ordered:
        stated = document.file.origins.items()
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
        for path, kind in [*inside, *_kinds(document.body, ())]:
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


def _kinds(value: Any, path: KeyPath) -> Iterator[tuple[KeyPath, type]]:
    for key, item in value.items():
        if isinstance(item, dict | list):
            yield (*path, key), type(item)
        if isinstance(item, dict):
            yield from _kinds(item, (*path, key))
