"""The engine of one process: the stages that are missing, one after the other."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from itertools import pairwise
from pathlib import Path

from runner.engine.failures import NotRunError, cannot_start
from runner.engine.forkclient import ForkServer
from runner.engine.obtain import obtain
from runner.engine.process import StageProcess
from runner.engine.watcher import Watcher
from runner.errors import OvrunError, StageError
from runner.plan.types import Stage
from runner.stages import template
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

    The process of the next stage starts ahead, and imports its libraries while the one before does its last fifth: a
    conversion, which takes the most memory, has it for itself. A stage that fails takes with it those that need it, or
    with `fail_fast` all that have not run.
    """
    results: Results = {}
    engine = _Engine(store, log_of, watcher, _shared(stages))
    try:
        for stage, following in pairwise([*stages, None]):
            assert stage is not None
            error = blocked(stage, results) or (_given_up(results) if fail_fast else None)
            results[stage.key] = error or engine.obtain(stage, following)
    finally:
        engine.close()
    return results


def _shared(stages: Sequence[Stage]) -> frozenset[str]:
    """The templates that several stages fork from; for a single one they are a process more and no import less."""
    named = Counter(template(stage.module, stage.params) for stage in stages)
    return frozenset(name for name, count in named.items() if name and count > 1)


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

    def __init__(
        self, store: Store, log_of: Callable[[Stage], Path], watcher: Watcher, templates: Collection[str]
    ) -> None:
        self.store, self.log_of, self.watcher, self.templates = store, log_of, watcher, templates
        self.server: ForkServer | None = None
        self.started: dict[str, StageProcess] = {}
        self.ahead = ""

    def obtain(self, stage: Stage, following: Stage | None) -> OvrunError | None:
        """Make a stage, or wait for another run that makes it; its error comes back."""
        try:
            obtain(
                stage,
                self.store,
                lambda module: self._process(stage, module),
                self.watcher,
                nearly_done=lambda: self._start_ahead(following),
            )
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

    def _process(self, stage: Stage, module: str) -> StageProcess:
        """The stage's process, started ahead or now; that of its rest is beside one that was started ahead."""
        if module != stage.module:
            return self._start(stage, module)
        self._end_all_but(stage.key)
        process = self.started.get(stage.key)
        return self._start(stage, module) if process is None or process.was_used else process

    def _start_ahead(self, following: Stage | None) -> None:
        if following is not None and following.key != self.ahead:
            self.ahead = following.key
            with contextlib.suppress(OvrunError):  # its own turn tries again, and tells what is wrong
                self._start(following, following.module)

    def _start(self, stage: Stage, module: str) -> StageProcess:
        log = self.log_of(stage)
        try:
            self.server = self.server or ForkServer(log, self.templates)
        except OSError as error:
            raise cannot_start(error, log) from error
        process = self.started[stage.key] = StageProcess(self.server, module, stage.params, log)
        return process
