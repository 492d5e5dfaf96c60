"""Run a command and measure it: wall seconds, CPU seconds of it and all its children, peak memory of the whole tree."""

from __future__ import annotations

import os
import resource
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

_EVERY = 0.05


@dataclass(frozen=True)
class Cost:
    """Seconds of wall time, seconds of CPU time, bytes of memory.

    Attributes:
        peak: highest sum of the proportional set sizes of all living processes (a page that two share counts once).
        peak_one: highest resident memory of any one process.
    """

    wall: float
    cpu: float
    peak: int
    peak_one: int


def run(command: Sequence[str], cwd: Path, log: Path, environment: Mapping[str, str] | None = None) -> Cost:
    """Run a command to its end; raise if it fails, naming the log."""
    start = time.monotonic()
    with log.open("ab") as stream:
        process = subprocess.Popen(
            list(command), cwd=cwd, stdout=stream, stderr=stream, env={**os.environ, **(environment or {})}
        )
    sampler = _Sampler(process.pid)
    sampler.start()
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.monotonic() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    sampler.stop()
    if process.returncode != 0:
        message = f"{' '.join(command)} ended with {process.returncode}; see {log}"
        raise RuntimeError(message)
    cpu = max(usage.ru_utime + usage.ru_stime, sampler.cpu_seconds)  # what nobody waited for was at least sampled
    return Cost(wall, cpu, sampler.peak, max(_biggest(usage), sampler.peak_one))


def _biggest(usage: resource.struct_rusage) -> int:
    return usage.ru_maxrss * 1024


class _Sampler(threading.Thread):
    """Samples the memory and the CPU time of a process and all its descendants."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self._root = pid
        self._ended = threading.Event()
        self._cpu: dict[int, float] = {}
        self.peak = self.peak_one = 0

    @property
    def cpu_seconds(self) -> float:
        """The CPU time that the processes had used when they were last seen."""
        return sum(self._cpu.values())

    def run(self) -> None:
        while not self._ended.wait(_EVERY):
            self.peak = max(self.peak, self._now())

    def stop(self) -> None:
        self._ended.set()
        self.join()

    def _now(self) -> int:
        total = 0
        try:
            root = psutil.Process(self._root)
            for process in [root, *root.children(recursive=True)]:
                total += _proportional(process.pid)
                self.peak_one = max(self.peak_one, process.memory_info().rss)
                self._cpu[process.pid] = sum(process.cpu_times()[:2])
        except psutil.Error:  # it ended while we looked
            return total
        return total


def _proportional(pid: int) -> int:
    """Bytes of a process's memory, its shared pages divided among those that share them; 0 once it has ended."""
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return 0
