"""What no recipe may hold, found in the raw values before Hydra sees them: calls, Hydra's own settings, resolvers."""

from __future__ import annotations

import dataclasses
import re

from runner.base.values import mapping
from runner.recipe.origins import KeyPath, found
from runner.recipe.read.yamlfile import YamlFile

_CALL = re.compile(r"_[a-z]+_")
_PLAIN = re.compile(r"\$\{[A-Za-z][\w-]*(\.[\w-]+)*\}")


def clean(file: YamlFile) -> None:
    """Take what may not be there out of the file's values, and add a problem for each to the file's."""
    file.data = mapping(_clean(file, file.data, ()))


def _clean(file: YamlFile, value: object, path: KeyPath) -> object:
    if isinstance(value, dict):
        kept = {key: item for key, item in value.items() if _may_stay(file, (*path, key))}
        return {key: _clean(file, item, (*path, key)) for key, item in kept.items()}
    if isinstance(value, list):
        return [_clean(file, item, (*path, index)) for index, item in enumerate(value)]
    if isinstance(value, str) and (what := bad_interpolation(value)):
        file.problems.append(found(path, file.origins[path], what, PLAIN_ONLY))
        return None
    return value


PLAIN_ONLY = "allowed: ${section.key}, the value of another key of the recipe"


def bad_interpolation(text: str) -> str | None:
    """What is wrong with the interpolations in a text, or None: resolvers could leak secrets into a manifest."""
    if "${" not in text:
        return None
    if "\\${" in text or "${" in _PLAIN.sub("", text):
        return f'"{text[:60]}" is not a plain interpolation'
    return None


def bad_key(path: KeyPath) -> str | None:
    """What is wrong with a key that no recipe may have, or None."""
    if path and path[0] == "hydra":
        return "a recipe can't configure Hydra; remove this section"
    if path and _CALL.fullmatch(str(path[-1])):
        return "a recipe is data and calls no code; remove this key"
    return None


def _may_stay(file: YamlFile, path: KeyPath) -> bool:
    if what := bad_key(path):
        origin = file.origins[path]
        file.problems.append(found(path, dataclasses.replace(origin, where=origin.key_where), what))
    return what is None
