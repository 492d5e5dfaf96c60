"""The engine of many processes: the same graph as `local`, given to Dask distributed.

Order, retries, placement and the loss of workers are Dask's; each stage is one task, named by its key. This side only
hears how stages go and collects what became of them.
"""

from __future__ import annotations

import contextlib
import pickle
import queue
import secrets
import threading
from asyncio import CancelledError
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import dask
from dask._task_spec import Task, TaskRef
from dask.highlevelgraph import HighLevelGraph, MaterializedLayer
from distributed import Client, Future
from distributed.scheduler import KilledWorker

from runner.engine import failures, host, worker
from runner.engine.estimate import Costs
from runner.engine.failures import NotRunError, OutOfMemoryError
from runner.engine.local import Results, blocked
from runner.engine.settings import Cluster
from runner.engine.shares import available_memory, memory_shares, reservations
from runner.engine.start import connected
from runner.engine.watcher import Watcher
from runner.errors import OvrunError, StageError
from runner.plan.types import Stage
from runner.stages import JUDGED
from runner.store import Entry, Store

__all__ = ["Cluster", "execute"]

_MEMORY_RETRIES = 1
_GIVE_UP_WITHIN = 10


def execute(
    stages: Sequence[Stage],
    store: Store,
    log_of: Callable[[Stage], Path],
    watcher: Watcher,
    cluster: Cluster,
    *,
    fail_fast: bool = False,
) -> Results:
    """Run stages on the workers of a cluster, as soon as what they read is there, and has been judged if that is due.

    A stage that fails takes with it those that need it, or with `fail_fast` all that have not finished. A stage that
    ran out of memory, or whose worker died, is run again before it counts as failed.

    Raises:
        OvrunError: the cluster can't be had.
        KeyboardInterrupt: passed on after the running stages have been ended.
    """
    if not stages:
        return {}
    shares, reserved = _share_memory(cluster, stages, Costs(store))
    log = log_of(stages[0]).parent / "cluster.log"
    with (
        dask.config.set(host.configuration(cluster.allowed_failures)),
        connected(cluster, shares, log, store) as client,
    ):
        run = _Run(client, stages, store, log_of, watcher)
        try:
            run.submit(reserved)
            return run.results(fail_fast)
        except BaseException:
            run.give_up()
            raise
        finally:
            store.tidy()  # what workers that were killed left


def _share_memory(cluster: Cluster, stages: Sequence[Stage], costs: Costs) -> tuple[list[int], dict[str, int]]:
    """The share of each worker of this machine, and what stages reserve that do not fit into all of them."""
    if cluster.scheduler or cluster.slurm:  # such workers are alike, and each runs one stage
        return [], {}
    needs = {stage.key: estimate.memory for stage, estimate in costs.estimate(stages)}
    shares = memory_shares(cluster.memory or available_memory(), cluster.jobs, needs.values())
    return shares, reservations(needs, shares)


class _Run:
    """One graph on one cluster. Dask's threads only fill `heard`; the watcher is called in the caller's thread."""

    def __init__(
        self,
        client: Client,
        stages: Sequence[Stage],
        store: Store,
        log_of: Callable[[Stage], Path],
        watcher: Watcher,
    ) -> None:
        self.client, self.store, self.log_of, self.watcher = client, store, log_of, watcher
        self.stages = {stage.key: stage for stage in stages}
        self.names = {stage.key: f"{stage.name}-{stage.key}" for stage in stages}
        self.topic = f"ovrun-{secrets.token_hex(8)}"
        self.ended: Results = {}
        self.held = _behind_judged(stages)
        self.reserved: Mapping[str, int] = {}
        self.futures: dict[str, Future] = {}
        self.heard: queue.SimpleQueue[object] = queue.SimpleQueue()

    def submit(self, reserved: Mapping[str, int]) -> None:
        """Give Dask all that nothing has to be judged for."""
        self.client.subscribe_topic(self.topic, lambda event: self.heard.put(event[1]))
        self.reserved = reserved
        self._give({key: stage for key, stage in self.stages.items() if key not in self.held})

    def _give(self, stages: Mapping[str, Stage]) -> None:
        """Give Dask a graph; a task's name starts with its stage's, for Dask learns durations by such names."""
        tasks = {self.names[key]: self._task(stage, stages) for key, stage in stages.items()}
        needs = {self.names[key]: {"memory": need} for key, need in self.reserved.items()}
        annotations = {"retries": _MEMORY_RETRIES, "resources": lambda name: needs.get(name, {})}
        graph = HighLevelGraph({"stages": MaterializedLayer(tasks, annotations=annotations)}, {"stages": set()})
        futures = self.client.get(graph, list(tasks), sync=False)
        self.futures |= zip(stages, futures, strict=True)
        for future in futures:
            future.add_done_callback(self.heard.put)

    def _task(self, stage: Stage, beside: Collection[str]) -> Task:
        """The task of a stage; what it reads is among the stages given `beside` it, or there already."""
        work = worker.Work(stage, self.store.root.resolve(), self.log_of(stage).resolve(), self.topic)
        inputs = [TaskRef(self.names[key]) for key in stage.after.values() if key in beside]
        # A producer waits at the scheduler for a free worker; other tasks would queue up at workers, and die with them.
        return Task(self.names[stage.key], worker.obtain_stage, pickle.dumps(work), *inputs, _data_producer=True)

    def _release(self) -> None:
        """Give Dask the stages that were held back and read nothing any more that is still to be made or judged."""
        free: dict[str, Stage] = {}
        for key, stage in self.held.items():
            if all(one in free or self._is_there(one) for one in stage.after.values()):
                free[key] = stage
        if free:
            self.held = {key: stage for key, stage in self.held.items() if key not in free}
            self._give(free)

    def _is_there(self, key: str) -> bool:
        return key not in self.stages or (key in self.ended and self.ended[key] is None)

    def results(self, fail_fast: bool) -> Results:
        """Listen until every stage has ended."""
        while self.futures:
            ended = []
            for heard in self._next():
                if isinstance(heard, Future):
                    ended.append(heard)
                else:
                    self._tell(*heard)
            self._collect(ended)
            if fail_fast and (failed := self._failed()):
                self.give_up()
                self._leave_rest(failed)
        for stage in self.stages.values():
            if stage.key not in self.ended:
                self.ended[stage.key] = blocked(stage, self.ended) or _lost(stage)
        return {key: self.ended[key] for key in self.stages}

    def _next(self) -> Iterator[Any]:
        """What has been heard: at least one thing, and all that is there by now."""
        yield self.heard.get()
        with contextlib.suppress(queue.Empty):
            while True:
                yield self.heard.get_nowait()

    def _tell(self, what: str, key: str, *details: object) -> None:
        if key in self.futures:
            getattr(self.watcher, what)(self.stages[key], *details)

    def _collect(self, ended: Sequence[Future]) -> None:
        """Fetch the outcomes of tasks in one go, and note them."""
        outcomes = self._fetch([future for future in ended if future.status == "finished"])
        for future in ended:
            stage = self.stages[future.key.rpartition("-")[2]]
            if stage.key not in self.futures:
                continue
            outcome = outcomes.get(future.key) or self._without_worker(stage, future)
            if outcome is None and future.status in ("lost", "pending"):
                self._listen_again(future)
                continue
            del self.futures[stage.key]
            self._note(stage, outcome)
        self._release()

    def _fetch(self, well: Sequence[Future]) -> dict[str, object]:
        """The outcomes of tasks that are finished; None for those that meanwhile are no more."""
        try:
            return dict(self.client.gather({future.key: future for future in well}, errors="skip"))
        except (OSError, CancelledError):  # the scheduler is gone
            return {}

    def _without_worker(self, stage: Stage, future: Future) -> object:
        """What is known of a task's outcome if no worker has it: its error, or the entry that it made."""
        if future.status == "error":
            return future.exception()
        entry = self.store.find(stage.key)
        return None if entry is None else worker.Made(dict(entry.record), reused=False)

    def _listen_again(self, future: Future) -> None:
        """Hear of a task once more: its worker died with the outcome that it had told of, and Dask repeats it."""

        def listen() -> None:
            with contextlib.suppress(OSError, CancelledError):
                future.exception()  # waits for an end of any kind
            self.heard.put(future)

        threading.Thread(target=listen, daemon=True).start()

    def _note(self, stage: Stage, outcome: object) -> None:
        """What became of a stage; one whose input failed is not told of, for its error is its input's."""
        if isinstance(outcome, worker.Made):
            entry = Entry(stage.key, self.store.folder(stage.key) / "files", outcome.record)
            self.ended[stage.key] = None
            try:
                self.watcher.finished(stage, entry, outcome.reused)
            except OvrunError as refused:
                self.ended[stage.key] = refused
                self.watcher.failed(stage, refused)
        elif error := self._error(stage, outcome):
            self.ended[stage.key] = error
            self.watcher.failed(stage, error)

    def _error(self, stage: Stage, outcome: object) -> OvrunError | None:
        """The error of a stage itself; None if it is another's that came along the graph."""
        log = self.log_of(stage)
        if isinstance(outcome, worker.Failed):
            return None if outcome.blocked else worker.rebuild(outcome, stage, log)
        if isinstance(outcome, worker.OutOfMemory):
            return _out_of_memory(outcome.failed, log) if outcome.failed.key == stage.key else None
        if isinstance(outcome, KilledWorker):
            return _killed(stage, outcome, log) if outcome.task == self.names[stage.key] else None
        if isinstance(outcome, BaseException) and not blocked(stage, self.ended):
            return failures.raised(outcome, stage.name, log)
        return None

    def _failed(self) -> OvrunError | None:
        return next((one for one in self.ended.values() if isinstance(one, OvrunError)), None)

    def _leave_rest(self, failed: OvrunError) -> None:
        for stage in self.stages.values():
            if stage.key not in self.ended:
                given_up = NotRunError("given up, because another stage failed first", cause=failed, given_up=True)
                self.ended[stage.key] = blocked(stage, self.ended) or given_up
        self.futures.clear()
        self.held.clear()

    def give_up(self) -> None:
        """End the stages that run, and start no more."""

        def tell() -> None:
            with contextlib.suppress(OSError, TimeoutError):  # the cluster is gone already
                self.client.cancel(list(self.futures.values()), force=True)
                self.client.run(worker.give_up, self.topic, on_error="ignore")

        telling = threading.Thread(target=tell, daemon=True)
        telling.start()
        telling.join(_GIVE_UP_WITHIN)


def _behind_judged(stages: Sequence[Stage]) -> dict[str, Stage]:
    """The stages that read, perhaps through others, what the run may refuse; in the order of their data."""
    found: dict[str, Stage] = {}
    judged = {stage.key for stage in stages if stage.name in JUDGED}
    for stage in stages:
        if any(key in judged or key in found for key in stage.after.values()):
            found[stage.key] = stage
    return found


def _out_of_memory(failed: worker.Failed, log: Path) -> OvrunError:
    message = f"{failed.message}; it was tried {_MEMORY_RETRIES + 1} times"
    error = OutOfMemoryError(message, hint=failed.hint)
    error.log = log
    return error


def _killed(stage: Stage, killed: KilledWorker, log: Path) -> StageError:
    message = f"{stage.name} was given up: {killed.allowed_failures + 1} workers died while they ran it"
    error = StageError(message, hint="The machine may have run out of memory, or the jobs out of time.")
    error.log = log
    return error


def _lost(stage: Stage) -> StageError:
    message = f"{stage.name} was lost: the connection to Dask's scheduler ended"
    return StageError(message, hint="Run again: finished stages are kept.")
