"""`${section.key}` -> the value of that key. One step only: a value that is referred to refers to nothing itself.

With chains allowed, a few lines could unfold to gigabytes.
"""

from __future__ import annotations

import dataclasses
import re
from typing import Any

from runner.recipe.origins import Found, KeyPath, Origins, dotted, found, nearest

_REFERENCE = re.compile(r"\$\{([\w.-]+)\}")
_MISSING = object()


def resolve(config: dict[str, Any], origins: Origins) -> tuple[dict[str, Any], list[Found]]:
    """The values with every interpolation replaced, and a problem for each that can't be; those become None.

    `origins` gets those of the values that were put in: a path in them stays relative to the file that states it.
    """
    problems: list[Found] = []
    resolved = _resolve(config, config, (), origins, problems)
    return resolved, problems


def _resolve(value: Any, config: dict[str, Any], path: KeyPath, origins: Origins, problems: list[Found]) -> Any:
    if isinstance(value, dict):
        return {key: _resolve(item, config, (*path, key), origins, problems) for key, item in value.items()}
    if isinstance(value, list):
        return [_resolve(item, config, (*path, index), origins, problems) for index, item in enumerate(value)]
    if not isinstance(value, str) or "${" not in value:
        return value
    targets = {name: _look_up(config, name) for name in _REFERENCE.findall(value)}
    for name, target in targets.items():
        what = _refusal(name, target, whole=value == f"${{{name}}}")
        if what:
            problems.append(found(path, nearest(origins, path), what))
            return None
    whole = _REFERENCE.fullmatch(value)
    if whole is None:
        return _REFERENCE.sub(lambda match: str(targets[match[1]]), value)
    _copy_origins(origins, whole[1], path)
    return targets[whole[1]]


def _copy_origins(origins: Origins, name: str, target: KeyPath) -> None:
    size = name.count(".") + 1
    inside = {key[size:]: origin for key, origin in origins.items() if dotted(key[:size]) == name}
    if () in inside:
        origins[target] = dataclasses.replace(nearest(origins, target), folder=inside.pop(()).folder)
    origins.update({target + key: origin for key, origin in inside.items()})


def _refusal(name: str, target: Any, *, whole: bool) -> str | None:
    if target is _MISSING:
        return f"${{{name}}} names no key of the recipe"
    if _refers(target):
        return f"${{{name}}} names a value that refers to another; name that one"
    if isinstance(target, dict | list) and not whole:
        return f"${{{name}}} is not a single value and can't be part of a text"
    return None


def _look_up(config: dict[str, Any], name: str) -> Any:
    value: Any = config
    for part in name.split("."):
        if isinstance(value, dict) and part in value:
            value = value[part]
        elif isinstance(value, list) and part.isdecimal() and int(part) < len(value):
            value = value[int(part)]
        else:
            return _MISSING
    return value


def _refers(value: Any) -> bool:
    if isinstance(value, dict | list):
        return any(_refers(item) for item in (value.values() if isinstance(value, dict) else value))
    return isinstance(value, str) and "${" in value
