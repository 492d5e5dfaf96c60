"""Who watches stages: what every engine tells, and every console shows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from pathlib import Path

    from runner.errors import OvrunError
    from runner.plan.types import Stage
    from runner.store import Entry, Store


class Watcher(Protocol):
    """Who watches stages. Entries come with their original cost; `reused` tells that no work was done now.

    `finished` may raise an OvrunError for a stage that is not to be used: it counts as failed then.

    `worker` is the name of who runs a stage, and empty where there is only one.
    """

    def started(self, stage: Stage, worker: str) -> None: ...

    def waiting(self, stage: Stage) -> None: ...

    def progress(self, stage: Stage, done: int, total: int) -> None: ...

    def finished(self, stage: Stage, entry: Entry, reused: bool) -> None: ...

    def failed(self, stage: Stage, error: OvrunError) -> None: ...


class Execute(Protocol):
    """An engine: `runner.engine.local.execute`, or one that runs stages elsewhere."""

    def __call__(
        self,
        stages: Sequence[Stage],
        store: Store,
        log_of: Callable[[Stage], Path],
        watcher: Watcher,
        *,
        fail_fast: bool = False,
    ) -> Mapping[str, OvrunError | None]: ...
