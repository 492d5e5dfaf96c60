"""Functions of `runner.metrics.measures` by their names, imported when they are called: declaring imports no NumPy."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import TypeVar, cast

_T = TypeVar("_T")


def figure(name: str) -> Callable[..., object]:
    """`module.function`, which makes a number, or one a row, of statistics."""
    return _late(name, object)


def details(name: str) -> Callable[..., Mapping[str, object]]:
    """`module.function`, which makes plain data of statistics."""
    return cast("Callable[..., Mapping[str, object]]", _late(name, dict))


def _late(name: str, kind: type[_T]) -> Callable[..., _T]:
    module, _, function = name.partition(".")

    def called(*given: object, **settings: object) -> _T:
        found = getattr(importlib.import_module(f"runner.metrics.measures.{module}"), function)
        return cast(_T, found(*given, **settings))

    called.__name__ = called.__qualname__ = function
    return called
