"""Declarations of one kind: those in the modules of a package of ours, and those that other packages have."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TypeVar

from runner.base.distributions import EntryPoint, entry_points
from runner.errors import SourceError


@dataclass(frozen=True)
class Declaration:
    """What all declarations have.

    Attributes:
        name: as recipes name it.
        help: what it is, in a sentence.
        distribution: the package that declares it; empty for ovrun's own.
    """

    name: str
    help: str
    distribution: str = ""


D = TypeVar("D", bound=Declaration)


class Declared(Mapping[str, D]):
    """Name -> declaration; read when it is first asked for, ours first.

    Args:
        kind: the class of the declarations.
        package: ours, of which every module declares some.
        group: the entry points of others.
    """

    def __init__(self, kind: type[D], package: str, group: str) -> None:
        self.kind, self.package, self.group = kind, package, group

    def __getitem__(self, name: str) -> D:
        return self._found[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._found)

    def __len__(self) -> int:
        return len(self._found)

    @property
    def foreign(self) -> bool:
        """Whether other packages declare any."""
        return any(declaration.distribution for declaration in self.values())

    @cached_property
    def _found(self) -> dict[str, D]:
        found: dict[str, D] = {}
        for declaration in self._ours():
            found[declaration.name] = declaration
        for point in entry_points("ovrun."):
            if point.group == self.group:
                for declaration in self._theirs(point):
                    if declaration.name in found:
                        message = f"{point.distribution} declares {declaration.name} in {self.group}, which exists"
                        raise SourceError(message, hint=f"Uninstall {point.distribution}, or rename what it declares.")
                    found[declaration.name] = declaration
        return found

    def _ours(self) -> Iterator[D]:
        package = importlib.import_module(self.package)
        for info in sorted(pkgutil.iter_modules(package.__path__), key=lambda info: info.name):
            module = importlib.import_module(f"{self.package}.{info.name}")
            yield from (value for value in vars(module).values() if isinstance(value, self.kind))

    def _theirs(self, point: EntryPoint) -> Iterator[D]:
        module, _, name = point.value.partition(":")
        try:
            found = importlib.import_module(module)
            values = [getattr(found, name)] if name else list(vars(found).values())
        except Exception as error:  # somebody else's code
            message = f"{point.distribution}: its {point.group} {point.name} can't be loaded: {error!r}"
            raise SourceError(message, hint=f"Mend or uninstall {point.distribution}.") from error
        ours = [value for value in values if isinstance(value, self.kind)]
        if not ours:
            message = f"{point.distribution}: {point.value} declares no {self.kind.__name__}, which {self.group} needs"
            raise SourceError(message, hint=f"Mend or uninstall {point.distribution}.")
        yield from (replace(value, distribution=point.distribution) for value in ours)
