"""Who watches stages: what every engine tells, and every console shows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from runner.errors import OvrunError
    from runner.plan import Stage
    from runner.store import Entry


class Watcher(Protocol):
    """Who watches stages. Entries come with their original cost; `reused` tells that no work was done now.

    `worker` is the name of who runs a stage, and empty where there is only one.
    """

    def started(self, stage: Stage, worker: str) -> None: ...

    def waiting(self, stage: Stage) -> None: ...

    def progress(self, stage: Stage, done: int, total: int) -> None: ...

    def finished(self, stage: Stage, entry: Entry, reused: bool) -> None: ...

    def failed(self, stage: Stage, error: OvrunError) -> None: ...
