"""The settings of a function as JSON Schemas, read off its annotations."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Literal


@dataclass(frozen=True)
class Minimum:
    """No value is below: `k: Annotated[int, Minimum(1)] = 5`."""

    value: float


@dataclass(frozen=True)
class Maximum:
    """No value is above."""

    value: float


_TYPES = {int: "integer", float: "number", str: "string", bool: "boolean"}


def schemas(function: Callable[..., object]) -> dict[str, dict[str, object]]:
    """Name -> JSON Schema of each keyword-only parameter: type, limits, default; a plain text annotation is its help.

    Raises:
        TypeError: a parameter without a default, or of a type that no recipe can state.
    """
    hints = typing.get_type_hints(function, include_extras=True)
    found = {}
    for name, parameter in inspect.signature(function).parameters.items():
        if parameter.kind is not parameter.KEYWORD_ONLY:
            continue
        if parameter.default is parameter.empty:
            message = f"{function.__name__}: the setting {name} has no default"
            raise TypeError(message)
        found[name] = {**_schema(hints[name], f"{function.__name__}: {name}"), "default": parameter.default}
    return found


def _schema(hint: object, where: str) -> dict[str, object]:
    if typing.get_origin(hint) is Annotated:
        base, *more = typing.get_args(hint)
        schema = _schema(base, where)
        for one in more:
            if isinstance(one, Minimum | Maximum):
                schema[type(one).__name__.lower()] = one.value
            elif isinstance(one, str):
                schema["description"] = one
        return schema
    if typing.get_origin(hint) is Literal:
        return {"enum": list(typing.get_args(hint))}
    if hint not in _TYPES:
        message = f"{where}: a setting is an int, a float, a str, a bool or a Literal, not {hint}"
        raise TypeError(message)
    return {"type": _TYPES[hint]}
