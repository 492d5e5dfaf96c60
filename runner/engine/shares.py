"""How the workers of one machine share its memory and its processor cores."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence

_KEEP_FREE = 0.1


def memory_shares(total: int, workers: int, needs: Iterable[int]) -> list[int]:
    """Bytes for each worker, together at most `total`; a worker runs one stage at a time.

    Where all stages fit into equal shares, shares are equal. Otherwise the largest stage sets the first worker's share,
    the next largest the second's, and so on as far as the memory goes; so stages that are too large for an equal share
    run next to each other only where there is room for them.
    """
    wanted = sorted(needs, reverse=True) or [0]
    shares: list[int] = []
    left = total
    for rest in range(workers, 0, -1):
        equal = left // rest
        fitting = next((need for need in wanted[len(shares) :] if need <= left), 0)
        shares.append(max(equal, fitting))
        left -= shares[-1]
    if wanted[0] > shares[0]:  # nothing can be promised to a stage that needs more than there is: it runs alone
        shares = [total, *[0] * (workers - 1)]
    return shares


def reservations(needs: Mapping[str, int], shares: Sequence[int]) -> dict[str, int]:
    """Key -> bytes, for the stages that do not fit into every worker's share."""
    return {key: min(need, max(shares)) for key, need in needs.items() if need > min(shares)}


def core_shares(workers: int) -> list[list[int]]:
    """The cores of each worker: an equal part for each, or one that several share where there are more workers."""
    cores = available_cores()
    each = max(len(cores) // workers, 1)
    return [[cores[(worker * each + core) % len(cores)] for core in range(each)] for worker in range(workers)]


def available_cores() -> list[int]:
    """The numbers of the cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


def available_memory() -> int:
    """Bytes that stages may use: what is free now, within the limit of a container, less a tenth."""
    import psutil
    from distributed.system import MEMORY_LIMIT

    return int(min(psutil.virtual_memory().available, MEMORY_LIMIT) * (1 - _KEEP_FREE))
