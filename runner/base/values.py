"""Plain data, as JSON and YAML hold them.

A value that is only passed on, or asked for its kind, is an `object`. Where a schema has judged the data before, these
functions say which kind it is; another kind is a mistake of ours, and a TypeError.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, NoReturn, TypeAlias, TypeVar

if TYPE_CHECKING:
    import numpy as np

T = TypeVar("T")

Array: TypeAlias = "np.ndarray[Any, np.dtype[Any]]"
"""An array of numbers of any type."""

Schema: TypeAlias = dict[str, Any]
"""A JSON Schema: its keywords say what their values are."""


def plain(value: object) -> object:
    """The value in the form in which equal ones are written alike: 1.0 is 1."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e16:
        return int(value)
    return value


def mapping(value: object) -> dict[str, object]:
    """A mapping, as it is: changing it changes the value."""
    if isinstance(value, dict):
        return value
    _refuse("a mapping", value)


def listing(value: object) -> list[object]:
    """A list, as it is: changing it changes the value."""
    if isinstance(value, list):
        return value
    _refuse("a list", value)


def text(value: object) -> str:
    if isinstance(value, str):
        return value
    _refuse("a text", value)


def numeric(value: object) -> float:
    """A number; a whole one stays an integer."""
    if isinstance(value, int | float):
        return value
    _refuse("a number", value)


def whole(value: object) -> int:
    """A whole number, which YAML and JSON may hold as 128.0."""
    return int(numeric(value))


def section(data: Mapping[str, object], key: str) -> Mapping[str, object]:
    """The mapping at a key; an empty one where there is none."""
    found = data.get(key)
    return found if isinstance(found, Mapping) else {} if found is None else mapping(found)


def texts(value: object) -> list[str]:
    """A list of texts."""
    return [text(item) for item in listing(value)]


def inside(value: object, path: Iterable[str | int]) -> object:
    """What lies at a path of keys and of numbers of items."""
    for part in path:
        value = value[part] if isinstance(value, dict) else listing(value)[int(part)]
    return value


def made(kind: Callable[..., T], values: Mapping[str, object]) -> T:
    """What `kind` makes of values that its schema judged: their names are its parameters."""
    return kind(**values)


def _refuse(wanted: str, value: object) -> NoReturn:
    message = f"not {wanted}: {value!r}"
    raise TypeError(message)
