"""The engine of one process: the stages that are missing, one after the other."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path

from runner.engine.failures import NotRunError, cannot_start
from runner.engine.forkclient import ForkServer
from runner.engine.obtain import obtain
from runner.engine.process import StageProcess
from runner.engine.watcher import Watcher
from runner.errors import OvrunError, StageError
from runner.plan.types import Stage
from runner.store import Store

Results = dict[str, OvrunError | None]
"""Key -> the error of a stage, or None for one that is in the store now."""


def execute(
    stages: Sequence[Stage],
    store: Store,
    log_of: Callable[[Stage], Path],
    watcher: Watcher,
    *,
    fail_fast: bool = False,
) -> Results:
    """Run stages in the order of their data, or take over what another run has just made.

    The process of the next stage starts ahead, and imports its libraries while the one before works. A stage that fails
    takes with it those that need it, or with `fail_fast` all that have not run.
    """
    results: Results = {}
    engine = _Engine(store, log_of, watcher)
    try:
        for stage, following in pairwise([*stages, None]):
            assert stage is not None
            error = blocked(stage, results) or (_given_up(results) if fail_fast else None)
            results[stage.key] = error or engine.obtain(stage, following)
    finally:
        engine.close()
    return results


def blocked(stage: Stage, results: Mapping[str, OvrunError | None]) -> StageError | None:
    """The error of a stage whose input could not be made."""
    for key in stage.after.values():
        error = results.get(key)
        if isinstance(error, OvrunError):
            return NotRunError(f"{stage.label} did not run: {error.message}", cause=error)
    return None


def _given_up(results: Mapping[str, OvrunError | None]) -> StageError | None:
    for result in results.values():
        if isinstance(result, OvrunError):
            return NotRunError("given up, because another stage failed first", cause=result, given_up=True)
    return None


class _Engine:
    """The stages of one run; at most one runs, and at most one more waits with its libraries loaded."""

    def __init__(self, store: Store, log_of: Callable[[Stage], Path], watcher: Watcher) -> None:
        self.store, self.log_of, self.watcher = store, log_of, watcher
        self.server: ForkServer | None = None
        self.started: dict[str, StageProcess] = {}

    def obtain(self, stage: Stage, following: Stage | None) -> OvrunError | None:
        """Make a stage, or wait for another run that makes it; its error comes back."""
        try:
            obtain(stage, self.store, lambda: self._process(stage, following), self.watcher)
        except OvrunError as error:
            return error
        return None

    def close(self) -> None:
        """End what was started and not used, whatever came between, and the server."""
        self._end_all_but("")
        if self.server is not None:
            self.server.close()

    def _end_all_but(self, key: str) -> None:
        for other in [other for other in self.started if other != key]:
            self.started.pop(other).end()

    def _process(self, stage: Stage, following: Stage | None) -> StageProcess:
        """The stage's process, started ahead or now; then the following stage's."""
        self._end_all_but(stage.key)
        process = self.started.get(stage.key)
        if process is None or process.was_used:
            process = self._start(stage)
        if following is not None:
            with contextlib.suppress(OvrunError):  # its own turn tries again, and tells what is wrong
                self._start(following)
        return process

    def _start(self, stage: Stage) -> StageProcess:
        log = self.log_of(stage)
        try:
            self.server = self.server or ForkServer(log)
        except OSError as error:
            raise cannot_start(error, log) from error
        process = self.started[stage.key] = StageProcess(self.server, stage.module, stage.params, log)
        return process
