"""A function of a user's Python file, called under watch."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from runner.errors import SourceError
from runner.export.user_code import copied, failing, ran, running
from runner.registry.own import Own
from runner.sources.python_file import modules, parsed


@dataclass(frozen=True)
class UserFunction:
    """A function of a user's file, which runs when it is first called.

    Attributes:
        source: the file.
        own: what the recipe says of it.
        out: beside which there is a folder for it while it runs.
        readable: folders that it may read.
    """

    source: Path
    own: Own
    out: Path
    readable: tuple[Path, ...] = ()
    _made: list[Callable[..., object]] = field(default_factory=list)

    @property
    def name(self) -> str:
        """For messages."""
        return f"{self.source}: {self.own.function}()"

    def __call__(self, given: object, rows: Sequence[Mapping[str, object]]) -> object:
        """Call it with the recipe's arguments too.

        Raises:
            SourceError: it fails, with its line, reads what is in no key, or is not there.
        """
        source = self.source.absolute()
        with ExitStack() as stack:
            folder = stack.enter_context(running(source, self.out, modules(parsed(source)), *self.readable))
            if not self._made:
                self._made.append(self._load(source, folder))
            with failing(source, f"{self.own.function}() fails"):
                found = self._made[0](given, rows, **json.loads(self.own.arguments))
                return {**found} if isinstance(found, Mapping) else found

    def _load(self, source: Path, folder: Path) -> Callable[..., object]:
        made = ran(source, copied(source, folder)).get(self.own.function)
        if not callable(made):
            message = f"{source} defines no function {self.own.function}"
            raise SourceError(message)
        return made
