"""The settings of a function as JSON Schemas, read off its annotations."""

from __future__ import annotations

import inspect
import types
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
    hints = _hints(function)
    found = {}
    for name, parameter in inspect.signature(function).parameters.items():
        if parameter.kind is not parameter.KEYWORD_ONLY:
            continue
        if parameter.default is parameter.empty:
            message = f"{function.__name__}: the setting {name} has no default"
            raise TypeError(message)
        stated = {"default": parameter.default, "examples": [parameter.default]}
        found[name] = {**_schema(hints[name], f"{function.__name__}: {name}"), **stated}
    return found


def _hints(function: Callable[..., object]) -> dict[str, object]:
    """The annotations of keyword-only parameters; those of others may name what only a type checker imports."""
    kinds = inspect.signature(function).parameters
    own = {name: hint for name, hint in inspect.get_annotations(function).items() if _is_setting(kinds.get(name))}
    holder = types.SimpleNamespace(__annotations__=own)
    return typing.get_type_hints(holder, function.__globals__, include_extras=True)


def _is_setting(parameter: inspect.Parameter | None) -> bool:
    return parameter is not None and parameter.kind is parameter.KEYWORD_ONLY


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
