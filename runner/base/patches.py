"""What is changed in a library, or read of its private parts: each such patch declared, and guarded.

A patch for performance is left out with a version that it was not tried with. One that results hang on proves that the
library really uses it, or the stage fails: see docs/patches.md, which is made of the declarations.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from types import CodeType, FunctionType
from typing import Any, Literal

from runner.base import streams
from runner.base.keys import version_of
from runner.errors import StageError

_NUMBERS = re.compile(r"\d+(?:\.\d+)*")


@dataclass(frozen=True)
class Patch:
    """One patch.

    Attributes:
        library: the distribution that is patched.
        tried: the first version that it was tried with, and the first that it wasn't.
        kind: whether only time and memory hang on it, or results too.
        what: what it does, in a sentence.
        guard: how a library that has changed is noticed, in a sentence.
    """

    name: str
    library: str
    tried: tuple[str, str]
    kind: Literal["performance", "results"]
    what: str
    guard: str

    @property
    def versions(self) -> str:
        """The tried versions, as a requirement states them."""
        return f">={self.tried[0]},<{self.tried[1]}"

    @property
    def fits(self) -> bool:
        """Whether the installed version is one that it was tried with."""
        first, end = (_numbers(version) for version in self.tried)
        return first <= _numbers(version_of(self.library)) < end

    def part(self, module: str, path: str) -> Any:
        """A private part of the library, such as `"Class.method"` of a module.

        Raises:
            StageError: the installed version has no such part.
        """
        try:
            found = importlib.import_module(module)
            for name in path.split("."):
                found = getattr(found, name)
        except (ImportError, AttributeError) as error:
            why = f"it has no {module}.{path}"
            raise self.broken(why) from error
        return found

    def broken(self, why: str) -> StageError:
        """The error for a library in which the patch can't do its work."""
        message = f"{self.library} {version_of(self.library)} doesn't work with ovrun ({self.name}): {why}"
        return StageError(message, hint=f'Install a version that it was tried with: "{self.library}{self.versions}".')


def tell_left_out(patches: Iterable[Patch]) -> None:
    """Say in the run's log which patches for performance are left out, and why."""
    for patch in patches:
        if patch.kind == "performance" and not patch.fits:
            installed = f"{patch.library} {version_of(patch.library)}"
            streams.put(f"{patch.name}: left out, as it was not tried with {installed} but with {patch.versions}")


def code_of(kind: type) -> Iterator[CodeType]:
    """The code of all methods that a class itself defines, and of the functions inside them."""
    waiting = [
        method.__code__
        for member in vars(kind).values()
        if isinstance(method := getattr(member, "__func__", member), FunctionType)
    ]
    while waiting:
        code = waiting.pop()
        waiting += [constant for constant in code.co_consts if isinstance(constant, CodeType)]
        yield code


def _numbers(version: str) -> tuple[int, ...]:
    """The release of a version; what follows it (`rc1`, `+cpu`) is not looked at."""
    found = _NUMBERS.match(version)
    return tuple(int(number) for number in found[0].split(".")) if found else ()
