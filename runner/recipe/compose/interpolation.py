"""`${section.key}` -> the value of that key. One step only: a value that is referred to refers to nothing itself.

With chains allowed, or without a limit on what is put in, a few lines could unfold to gigabytes.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Iterator

from runner.base.values import mapping
from runner.base.words import shorten
from runner.errors import RecipeError
from runner.recipe.origins import Found, KeyPath, Origins, found, nearest
from runner.recipe.read.yamlfile import MAX_BYTES, MAX_VALUES

_REFERENCE = re.compile(r"\$\{([\w.-]+)\}")
_MISSING = object()


def resolve(config: dict[str, object], origins: Origins) -> tuple[dict[str, object], list[Found]]:
    """The values with every interpolation replaced, and a problem for each that can't be; those become None.

    `origins` gets those of the values that were put in: a path in them stays relative to the file that states it.

    Raises:
        RecipeError: what would be put in is more than a recipe may hold.
    """
    resolver = _Resolver(config, origins)
    return mapping(resolver.resolve(config, ())), resolver.problems


class _Resolver:
    def __init__(self, config: dict[str, object], origins: Origins) -> None:
        self.config, self.origins = config, origins
        self.problems: list[Found] = []
        self.values, self.letters = MAX_VALUES, MAX_BYTES

    def resolve(self, value: object, path: KeyPath) -> object:
        if isinstance(value, dict):
            return {key: self.resolve(item, (*path, key)) for key, item in value.items()}
        if isinstance(value, list):
            return [self.resolve(item, (*path, index)) for index, item in enumerate(value)]
        if not isinstance(value, str) or "${" not in value:
            return value
        if whole := _REFERENCE.fullmatch(value):
            return self._whole(whole[1], path)
        return self._part(value, path)

    def _whole(self, name: str, path: KeyPath) -> object:
        """What a value is that consists of one reference, of whatever kind."""
        at, target = self._look_up(name)
        inside = dict(_walk(target)) if isinstance(target, dict | list) else {(): target}
        self._spend(path, len(inside), sum(len(text) for text in inside.values() if isinstance(text, str)))
        if self._refused(name, inside.values(), path):
            return None
        here = nearest(self.origins, path)
        for deeper in inside:
            if origin := self.origins.get((*at, *deeper)):
                self.origins[(*path, *deeper)] = origin if deeper else dataclasses.replace(here, folder=origin.folder)
        return target

    def _part(self, text: str, path: KeyPath) -> str | None:
        """A text with the values that it refers to."""
        names = _REFERENCE.findall(text)
        texts: dict[str, str] = {}
        for name in dict.fromkeys(names):
            _, target = self._look_up(name)
            if isinstance(target, dict | list):
                what = f"${{{shorten(name)}}} is not a single value and can't be part of a text"
                self.problems.append(found(path, nearest(self.origins, path), what))
                return None
            if self._refused(name, [target], path):
                return None
            texts[name] = str(target)
        self._spend(path, 0, sum(len(texts[name]) for name in names))
        return _REFERENCE.sub(lambda match: texts[match[1]], text)

    def _refused(self, name: str, targets: Iterable[object], path: KeyPath) -> bool:
        what = ""
        for target in targets:
            if target is _MISSING:
                what = f"${{{shorten(name)}}} names no key of the recipe"
            elif isinstance(target, str) and "${" in target:
                what = f"${{{shorten(name)}}} names a value that refers to another; name that one"
        if what:
            self.problems.append(found(path, nearest(self.origins, path), what))
        return bool(what)

    def _spend(self, path: KeyPath, values: int, letters: int) -> None:
        self.values -= values
        self.letters -= letters
        if self.values < 0 or self.letters < 0:
            limit = f"{MAX_VALUES} values" if self.values < 0 else f"{MAX_BYTES} letters"
            what = f"more than {limit} are put in for references"
            wrong = found(path, nearest(self.origins, path), what, "a recipe is small; refer to less")
            raise RecipeError([wrong.problem])

    def _look_up(self, name: str) -> tuple[KeyPath, object]:
        """The path of what is referred to, with numbers for the items of lists, and its value."""
        value: object = self.config
        at: list[str | int] = []
        for part in name.split("."):
            if isinstance(value, dict) and part in value:
                value = value[part]
                at.append(part)
            elif isinstance(value, list) and _is_number(part) and int(part) < len(value):
                value = value[int(part)]
                at.append(int(part))
            else:
                return (), _MISSING
        return tuple(at), value


def _is_number(part: str) -> bool:
    return part.isascii() and part.isdecimal() and len(part) < 7


def _walk(value: object, path: KeyPath = ()) -> Iterator[tuple[KeyPath, object]]:
    yield path, value
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from _walk(item, (*path, key))
