"""Whether a Python file defines what a recipe says of it: told from its text, which nothing runs."""

from __future__ import annotations

import ast
import json
import math
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from runner.base.paths import is_file
from runner.base.words import near, plural
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


def metric_misfits(recipe: Recipe) -> Iterator[Problem]:
    """Files of metrics that are not there, functions that they lack, and arguments that these don't take."""
    for key, own in recipe.own_metrics:
        if not is_file(own.file):
            yield Problem(recipe.where(f"{key}.path"), f"{key}.path", f"there is no file {own.path}", _RELATIVE)
            continue
        there = names(parsed(own.file))
        if there is None:
            continue
        if own.function not in there:
            functions = [name for name, one in there.items() if isinstance(one, ast.FunctionDef)]
            allowed = f"it defines {', '.join(functions)}" if functions else None
            what, at = f"{own.file.name} defines no {own.function}", f"{key}.function"
            yield Problem(recipe.where(at), at, what, allowed, near(own.function, functions))
        elif isinstance(made := there[own.function], ast.FunctionDef):
            yield from _measures(recipe, key, made, json.loads(own.arguments))


_RELATIVE = "it is taken relative to the file that states it"
_GIVEN = 2
"""What a metric's function is given: what the model gave, or the model, and the rows."""


def _measures(recipe: Recipe, key: str, made: ast.FunctionDef, given: Mapping[str, object]) -> Iterator[Problem]:
    positional = len(made.args.posonlyargs) + len(made.args.args)
    takes, at = _takes(made, skip=_GIVEN), f"{key}.function"
    if positional < _GIVEN and made.args.vararg is None:
        what = f"{made.name} takes {plural(positional, 'argument')}, and is given two: what a model gave, and rows"
        yield Problem(recipe.where(at), at, what)
    elif missing := [name for name in takes.needed if name not in given]:
        yield Problem(recipe.where(at), at, f"{made.name} needs {', '.join(missing)}", f"give it in {key}.params")
    yield from _unknown(recipe, f"{key}.params", f"{made.name} takes no argument", given, takes)


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
