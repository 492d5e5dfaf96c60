"""Whether a Python file defines what a recipe says of it: told from its text, which nothing runs."""

from __future__ import annotations

import ast
import json
import math
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from runner.base.words import near
from runner.errors import Problem
from runner.recipe.types import Recipe
from runner.registry.exporters import Code
from runner.sources import Located
from runner.sources.python_file import Definition, names, parsed

_LARGEST = 1 << 28
"""Values of an input; a picture of eight million pixels has 1 << 25."""
_PLAIN = {"nn.Module", "torch.nn.Module", "Module", "object"}
"""Classes whose `__init__` takes nothing."""


@dataclass(frozen=True)
class _Takes:
    """The parameters of a function.

    Attributes:
        needed: those without a default.
        more: whether it takes others too.
    """

    names: tuple[str, ...]
    needed: tuple[str, ...]
    more: bool

    @property
    def told(self) -> str:
        return f"it takes {', '.join(self.names)}" if self.names else "it takes none"


def misfits(recipe: Recipe, located: Located) -> Iterator[Problem]:
    """What the recipe says of a class, function or input that the file does not have."""
    code = recipe.model.code
    if code is None or located.path is None:
        return
    yield from _huge(recipe, code)
    there = names(parsed(located.path))
    if there is None:
        return
    if code.object not in there:
        what = f"{located.path.name} defines no {code.object}"
        own = [name for name, one in there.items() if one] or list(there)
        allowed = f"it defines {', '.join(own)}" if own else None
        yield Problem(recipe.where("model.object"), "model.object", what, allowed, near(code.object, own))
    elif made := there[code.object]:
        yield from _called(recipe, made, code)
        yield from _fed(recipe, made, code)


def _huge(recipe: Recipe, code: Code) -> Iterator[Problem]:
    """Inputs that nobody could fill."""
    for one in code.example:
        if (count := math.prod(size or 1 for size in one.shape)) > _LARGEST:
            key = f"model.example.{one.name}.shape"
            yield Problem(recipe.where(key), key, f"{count} values are too many for an input", f"at most {_LARGEST}")


def _called(recipe: Recipe, made: Definition, code: Code) -> Iterator[Problem]:
    """Arguments that are missing, and those that nothing takes."""
    takes = _made_with(made)
    if takes is None:
        return
    given: Mapping[str, object] = json.loads(code.arguments)
    if missing := [name for name in takes.needed if name not in given]:
        what = f"{code.object} needs the arguments {', '.join(missing)}" if missing[1:] else None
        what = what or f"{code.object} needs the argument {missing[0]}"
        yield Problem(recipe.where("model.object"), "model.object", what, "give them in model.arguments")
    yield from _unknown(recipe, "model.arguments", f"{code.object} takes no argument", given, takes)


def _fed(recipe: Recipe, made: Definition, code: Code) -> Iterator[Problem]:
    """Inputs that forward() lacks, and those that it needs."""
    forward = _method(made, "forward")
    if forward is None:
        return
    takes, given = _takes(forward, skip=1), [one.name for one in code.example]
    if missing := [name for name in takes.needed if name not in given]:
        what = f"forward() needs {', '.join(missing)}"
        yield Problem(recipe.where("model.example"), "model.example", what, takes.told)
    yield from _unknown(recipe, "model.example", "forward() has no input", given, takes)


def _unknown(recipe: Recipe, key: str, what: str, given: Collection[str], takes: _Takes) -> Iterator[Problem]:
    for name in given if not takes.more else ():
        if name not in takes.names:
            at = f"{key}.{name}"
            yield Problem(recipe.where(at), at, f"{what} {name}", takes.told, near(name, takes.names))


def _made_with(made: Definition) -> _Takes | None:
    """What a function takes, or a class when it is made; None where its base classes tell."""
    if isinstance(made, ast.FunctionDef):
        return _takes(made, skip=0)
    if init := _method(made, "__init__"):
        return _takes(init, skip=1)
    plain = not made.keywords and all(_dotted(base) in _PLAIN for base in made.bases)
    return _Takes((), (), more=False) if plain else None


def _dotted(base: ast.expr) -> str:
    """`nn.Module`; nothing for what is no such name."""
    parts: list[str] = []
    while isinstance(base, ast.Attribute):
        parts.append(base.attr)
        base = base.value
    return ".".join([base.id, *reversed(parts)]) if isinstance(base, ast.Name) else ""


def _method(made: Definition, name: str) -> ast.FunctionDef | None:
    if not isinstance(made, ast.ClassDef):
        return None
    found = (one for one in made.body if isinstance(one, ast.FunctionDef) and one.name == name)
    return next((one for one in found if not one.decorator_list), None)


def _takes(function: ast.FunctionDef, skip: int) -> _Takes:
    said = function.args
    plain = [one.arg for one in [*said.posonlyargs, *said.args]]
    optional = plain[len(plain) - len(said.defaults) :] if said.defaults else []
    optional += [one.arg for one, default in zip(said.kwonlyargs, said.kw_defaults, strict=True) if default]
    names = [*plain[skip:], *(one.arg for one in said.kwonlyargs)]
    return _Takes(tuple(names), tuple(name for name in names if name not in optional), said.kwarg is not None)
