"""What all stages of a graph are expected to take together, some of them side by side."""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from runner.engine.estimate import Estimate
    from runner.plan.types import Stage


@dataclass(frozen=True)
class Forecast:
    """Expected cost of a run.

    Attributes:
        seconds: of wall time, from the first stage to the last.
        memory: bytes of all that run at one time, where that is most.
        disk: bytes of all that is written.
    """

    seconds: float
    memory: int
    disk: int


def forecast(costs: Sequence[tuple[Stage, Estimate]], jobs: int = 1) -> Forecast:
    """Play a run through: whenever one of `jobs` places is free, the next stage begins whose inputs are there.

    Args:
        costs: the stages that are to run, in the order of their data, and what each is expected to cost.
        jobs: how many run side by side. Two that share cores are taken to be as fast as one alone.
    """
    estimates = {stage.key: estimate for stage, estimate in costs}
    order = {stage.key: number for number, (stage, _) in enumerate(costs)}
    inputs = {stage.key: {key for key in stage.after.values() if key in order} for stage, _ in costs}
    waiting, ready = _sorted_out(inputs, order)
    running: list[tuple[float, int, str]] = []
    now, held, most = 0.0, 0, 0
    while ready or running:
        while ready and len(running) < jobs:
            number, key = heapq.heappop(ready)
            heapq.heappush(running, (now + estimates[key].seconds, number, key))
            held += estimates[key].memory
        most = max(most, held)
        now, _, ended = heapq.heappop(running)
        held -= estimates[ended].memory
        for key in waiting.get(ended, ()):
            inputs[key].discard(ended)
            if not inputs[key]:
                heapq.heappush(ready, (order[key], key))
    return Forecast(now, most, sum(estimate.disk for estimate in estimates.values()))


def _sorted_out(
    inputs: Mapping[str, set[str]], order: Mapping[str, int]
) -> tuple[dict[str, list[str]], list[tuple[int, str]]]:
    """Key -> the stages that wait for it; and those that wait for none, as a heap."""
    waiting: dict[str, list[str]] = {}
    for key, needed in inputs.items():
        for one in needed:
            waiting.setdefault(one, []).append(key)
    return waiting, [(order[key], key) for key, needed in inputs.items() if not needed]
